import { msBetween, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { writeRefusalOf } from './redis-errors.js';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** What ioredis is to do about an error: nothing, or replace the connection and reject the command, or send it again. */
type Reaction = false | 1 | 2;

/**
 * Makes the `reconnectOnError` of a client. A server that is read-only has ceased to be the master: the new one may be behind the same
 * address, or known to the sentinels. So the connection is replaced at once, and ever more rarely while that leads to a read-only
 * server again: each replacement interrupts the reads that such a server answers.
 */
export function replaceReadOnly(
  command: 'reject' | 'resend',
  now: () => MonotonicTime = monotonicNow,
): (error: Error) => Reaction {
  let replacedAt: MonotonicTime | undefined;
  let waitMs = 0;
  return (error) => {
    if (writeRefusalOf(error) !== 'read-only') return false;
    const at = now();
    const quietMs = replacedAt === undefined ? Infinity : msBetween(replacedAt, at);
    if (quietMs < waitMs) return false;
    replacedAt = at;
    waitMs = quietMs > 2 * LONGEST_WAIT_MS ? FIRST_WAIT_MS : Math.min(2 * waitMs, LONGEST_WAIT_MS);
    return command === 'resend' ? 2 : 1;
  };
}
