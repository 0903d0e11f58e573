import type { Log } from './log.js';

/** The events of a Redis client that show whether it is connected. */
interface Connection {
  on(event: 'ready' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Logs one line when Redis becomes available and one when it becomes unavailable, however many attempts to connect fail in between. */
export function logConnection(connection: Connection, log: Log): void {
  let state: 'unknown' | 'available' | 'unavailable' = 'unknown';
  const unavailable = (error?: Error): void => {
    if (state !== 'unavailable') log.warn({ err: error }, 'Redis is unavailable; reconnecting');
    state = 'unavailable';
  };
  connection.on('error', unavailable);
  connection.on('close', () => unavailable());
  connection.on('ready', () => {
    if (state !== 'available') log.info('connected to Redis');
    state = 'available';
  });
}
