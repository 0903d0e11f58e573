import { isTerminal } from '@ajs/job-state';
import type { JobSetView, JobStatus } from '@ajs/job-store';

/** A subscription that is being made again, or is read on a schedule, counts as level for so long. Milliseconds. */
const LEVEL_LONG_ENOUGH_MS = 15_000;

/**
 * Whether the cache's word on a job may be the whole answer. If not, Armada's own `api.Jobs` is asked, and the cache's word is
 * the fallback: the job set is not followed (refused, gone, stalled, not caught up yet), or its stream has not shown the job,
 * which was learned. One that was submitted through us has `learnedGraceMs` to show up: Armada's own database may not have it
 * either.
 */
export function canServeFromCache(
  status: Pick<JobStatus, 'state' | 'changedAt' | 'provisional'>,
  { now, subscription }: Pick<JobSetView, 'now' | 'subscription'>,
  learnedGraceMs: number,
): boolean {
  if (isTerminal(status.state)) return true;
  const isFresh = status.state === 'SUBMITTED' && now - status.changedAt < learnedGraceMs;
  switch (subscription?.state) {
    case 'stalled':
    case 'denied':
    case 'gone':
      return false;
    case 'live':
      if (status.provisional) return isFresh;
      return subscription.nextReadAt === undefined || isLevelEnough(now, subscription);
    case 'connecting':
    case 'catching-up':
    case undefined:
      if (status.provisional) return isFresh;
      return isLevelEnough(now, subscription);
  }
}

function isLevelEnough(now: number, subscription: JobSetView['subscription']): boolean {
  return subscription?.syncedAt !== undefined && now - subscription.syncedAt < LEVEL_LONG_ENOUGH_MS;
}
