import { msBetween, type JobSetKey, type MonotonicTime, type RedisTime } from '@ajs/job-state';
import type { JobSetDetails } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { whyUnresolved } from '../absence/reasons.js';
import { msUntilAnswer, type Caller } from '../caller.js';
import { V2Error } from './error-info.js';

/** How long a caller without a deadline waits for a job set that is to be read anew. Milliseconds. */
const READ_ANEW_MS = 30_000;

/** A read that is to be no older than its caller wants. */
export interface AgedRead {
  readonly key: JobSetKey;
  readonly caller: Caller;
  /** The oldest sync that the caller takes. Left out: any. Milliseconds. */
  readonly maxAgeMs: number | undefined;
}

/** Whether the job set was synced within the time, or since the call came. */
export function isFresh(
  { now, subscription }: JobSetDetails,
  arrivedAt: RedisTime,
  maxAgeMs: number | undefined,
): boolean {
  if (maxAgeMs === undefined) return true;
  const syncedAt = subscription?.syncedAt;
  return syncedAt !== undefined && (syncedAt >= arrivedAt || msBetween(syncedAt, now) <= maxAgeMs);
}

/** How long the job set may still take to be read anew. Throws UNAVAILABLE where it is too late, or will not be read. */
export function msUntilTooLate(
  { subscription }: JobSetDetails,
  beganAt: MonotonicTime,
  { caller, key, maxAgeMs }: AgedRead,
): number {
  const leftMs = Math.min(msUntilAnswer(caller), READ_ANEW_MS - msBetween(beganAt, monotonicNow()));
  const isRefused = subscription?.state === 'denied' || subscription?.state === 'gone';
  if (leftMs > 0 && !isRefused) return leftMs;
  const why = subscription?.state === 'live' ? 'no read has ended yet' : whyUnresolved(subscription);
  throw new V2Error(
    status.UNAVAILABLE,
    'NOT_SYNCED_IN_TIME',
    `job set ${JSON.stringify(key.jobSetId)} of queue ${JSON.stringify(key.queue)} was not synced with Armada within ${maxAgeMs} ms ` +
      `(max_age), and could not be read anew in time: ${why}; retry with more time, or without max_age`,
  );
}
