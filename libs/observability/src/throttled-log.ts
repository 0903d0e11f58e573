import { systemClock, type Clock } from '@ajs/platform';
import type { Log } from './log.js';

const INTERVAL_MS = 60_000;
/** As in "retrying after 94.8 ms". */
const DURATIONS = /\d+(?:\.\d+)? ?m?s\b/g;
/** How many different messages are remembered: failures of the same kind have the same message. */
const MAX_MESSAGES = 100;
/** So much of a key tells messages apart: it may hold what a caller sent. Characters. */
const MAX_KEY_LENGTH = 500;

/**
 * Logs a message that may recur. What has the same `key` as a message of the last minute is counted instead, and appears at level debug
 * only; the count is the field `repeated` of one more line when the minute is over. `key` is the text where it is left out; durations
 * in it tell no messages apart.
 */
export type ThrottledLog = (
  level: 'info' | 'warn' | 'error',
  fields: object,
  text: string,
  key?: string,
) => void;

interface Recurring {
  /** Since the last line. */
  repeated: number;
  log: (repeated: number) => void;
  readonly stop: () => void;
}

/**
 * Makes a {@link ThrottledLog}. A failed call is retried again and again, for many job sets at once, and the log must not grow with the
 * retries.
 */
export function throttledLog(
  log: Pick<Log, 'info' | 'warn' | 'error' | 'debug'>,
  clock: Clock = systemClock,
): ThrottledLog {
  const recurring = new Map<string, Recurring>();

  function remember(key: string, line: Recurring['log']): void {
    const stop = clock.after(INTERVAL_MS, () => {
      // What goes on is counted for another minute.
      if (conclude(key)) remember(key, line);
    });
    recurring.set(key, { repeated: 0, log: line, stop });
  }

  /** Forgets the message, and logs how often it was repeated; returns whether it was. */
  function conclude(key: string): boolean {
    const message = recurring.get(key);
    recurring.delete(key);
    message?.stop();
    if (message === undefined || message.repeated === 0) return false;
    message.log(message.repeated);
    return true;
  }

  return (level, fields, text, about = text) => {
    const key = about.slice(0, MAX_KEY_LENGTH).replace(DURATIONS, '');
    const line = (repeated: number): void =>
      log[level]({ ...fields, ...(repeated > 0 && { repeated }) }, text);
    const known = recurring.get(key);
    if (known !== undefined) {
      known.repeated++;
      known.log = line;
      log.debug(fields, text);
      return;
    }
    const [oldest] = recurring.keys();
    if (oldest !== undefined && recurring.size >= MAX_MESSAGES) conclude(oldest);
    line(0);
    remember(key, line);
  };
}
