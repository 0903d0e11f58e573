import { ArmadaTime, mintedAt, msBetween, toMs, type JobId, type RedisTime } from '@ajs/job-state';
import type { JobSetView } from '@ajs/job-store';

/** An event of a live watch that is younger than this proves that the watch is synced (P6). Milliseconds. */
const LIVE_PROOF_MS = 2_000;

/**
 * What the stream of a job set says of a job that has no record.
 * - `unread`: nothing, since it was not read to its end after the poll arrived.
 * - `unpublished`: nothing, since the job is so young that Armada may have accepted it without having published its events.
 * - `absent`: it holds no such job.
 */
export type StreamVerdict = 'unread' | 'unpublished' | 'absent';

/**
 * The age of a job is the time in its id, by the clock of the Armada server that accepted it, against Redis' clock. An id from the future
 * counts as young, so where Armada's clock is ahead, an absent job stays `unpublished` for that much longer. Where it is behind, the grace is that
 * much shorter, and none with a skew as long as the grace: then Armada's `api.Jobs` alone keeps a young job from being reported as not
 * found. An id that is no ULID has no age, and is never `unpublished`.
 *
 * @param arrivedAt at or after the poll's arrival
 * @param graceMs an id younger than this is `unpublished`. Milliseconds
 */
export function streamVerdict(
  jobId: JobId,
  { now, subscription }: Pick<JobSetView, 'now' | 'subscription'>,
  arrivedAt: RedisTime,
  graceMs: number,
): StreamVerdict {
  if (subscription?.syncedAt === undefined) return 'unread';
  const { state, syncedAt, nextReadAt } = subscription;
  const isWatched = state === 'live' && nextReadAt === undefined;
  const wasRead = syncedAt >= arrivedAt || (isWatched && msBetween(syncedAt, now) < LIVE_PROOF_MS);
  if (!wasRead) return 'unread';
  return isYoung(jobId, ArmadaTime(toMs(now)), graceMs) ? 'unpublished' : 'absent';
}

/** Whether so little time has passed since Armada accepted the job that it may not have published its events. By the id: see {@link streamVerdict}. */
export function isYoung(jobId: JobId, now: ArmadaTime, graceMs: number): boolean {
  const acceptedAt = mintedAt(jobId);
  return acceptedAt !== undefined && msBetween(acceptedAt, now) < graceMs;
}
