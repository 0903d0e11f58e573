import { ArmadaTime, RedisTime, earlierOf, msBetween, toMs } from '@ajs/job-state';

/**
 * Armada's events are usually less than a second behind its `api.Jobs` (60 to 220 ms were measured). What is more than this is reported: it
 * leaves room for the clocks of schedulers and clusters, by which states are dated, to be 5 s apart. Milliseconds.
 */
const USUAL_LAG_MS = 8_000;

/** A state that was reported longer ago than this, and that no event has shown, is one that Armada has no events of any more. Milliseconds. */
const MAX_LAG_MS = 3_600_000;

/**
 * By how much Armada's events are behind its `api.Jobs`, as far as this job set shows it, in milliseconds; 0 where not by more than usual.
 * Redis' clock is taken for Armada's.
 *
 * @param aheadSince the time of the oldest state that `api.Jobs` reported and the stream has not shown
 * @param readAt as of when the stream was read
 */
export function eventLagMs(aheadSince: ArmadaTime | undefined, readAt: RedisTime | undefined): number {
  if (aheadSince === undefined || readAt === undefined) return 0;
  const lagMs = msBetween(aheadSince, ArmadaTime(toMs(readAt)));
  return lagMs > USUAL_LAG_MS ? lagMs : 0;
}

/** As of when the job set is synced: what `api.Jobs` had shown before the stream did was missing from then on. */
export function syncedBefore(
  aheadSince: ArmadaTime | undefined,
  readAt: RedisTime | undefined,
): RedisTime | undefined {
  if (aheadSince === undefined || readAt === undefined) return readAt;
  return earlierOf(readAt, RedisTime(toMs(aheadSince)));
}

/** Whether the stream should show a state that was reported with this time, which it has not shown yet. */
export function isAheadOfStream(at: ArmadaTime, now: RedisTime): boolean {
  return msBetween(at, ArmadaTime(toMs(now))) < MAX_LAG_MS;
}

/** What readers see of such a lag. */
export function eventLagReason(lagMs: number): string {
  return `Armada's events lag behind its api.Jobs by ${Math.round(lagMs / 1_000)} s`;
}
