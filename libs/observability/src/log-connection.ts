import { systemClock, type Clock } from '@ajs/platform';
import type { Log } from './log.js';

/** A connection that is back within this time was not worth a line. */
const BLIP_MS = 1_000;

/** The events of a Redis client that show whether it is connected. */
interface Connection {
  on(event: 'ready' | 'close' | 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Logs one line when Redis becomes available, and one when it has been unavailable for a second, however many attempts to connect fail in
 * between.
 */
export function logConnection(
  connection: Connection,
  log: Log,
  clock: Pick<Clock, 'after'> = systemClock,
): void {
  let state: 'unknown' | 'available' | 'unavailable' = 'unknown';
  let cause: Error | undefined;
  let cancel: (() => void) | undefined;
  const settled = (): void => {
    cancel?.();
    cancel = cause = undefined;
  };
  const lost = (error?: Error): void => {
    cause = error ?? cause;
    if (state === 'unavailable') return;
    cancel ??= clock.after(BLIP_MS, () => {
      log.warn({ err: cause }, 'Redis is unavailable; reconnecting');
      state = 'unavailable';
      settled();
    });
  };
  connection.on('error', lost);
  connection.on('close', () => lost());
  // It was closed here.
  connection.on('end', settled);
  connection.on('ready', () => {
    settled();
    if (state !== 'available') log.info('connected to Redis');
    state = 'available';
  });
}
