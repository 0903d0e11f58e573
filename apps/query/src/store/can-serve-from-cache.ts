import { ArmadaTime, msBetween, toMs, isTerminal, type RedisTime } from '@ajs/job-state';
import type { JobSetView, JobStatus } from '@ajs/job-store';

/** How long a job set still counts as synced while its stream is reopened, or until its next scheduled read. Milliseconds. */
const SYNCED_FOR_MS = 15_000;

/**
 * Whether the cached state of a job may be the whole answer. If not, Armada's own `api.Jobs` is asked, with the cached state as the
 * fallback: the job set is not followed (denied, gone, stalled, catching up), or the job is provisional. One that was submitted
 * through this service has `provisionalGraceMs` to appear in its stream: Armada's own database may not have it either.
 */
export function canServeFromCache(
  status: Pick<JobStatus, 'state' | 'changedAt' | 'provisional'>,
  { now, subscription }: Pick<JobSetView, 'now' | 'subscription'>,
  provisionalGraceMs: number,
): boolean {
  if (isTerminal(status.state)) return true;
  // Redis' clock is taken for Armada's here: they are apart by much less than the grace.
  const ageMs = msBetween(status.changedAt, ArmadaTime(toMs(now)));
  const isJustSubmitted = status.state === 'SUBMITTED' && ageMs < provisionalGraceMs;
  switch (subscription?.state) {
    case 'stalled':
    case 'denied':
    case 'gone':
      return false;
    case 'live':
      if (status.provisional) return isJustSubmitted;
      return subscription.nextReadAt === undefined || isSynced(now, subscription);
    case 'connecting':
    case 'catching-up':
    case undefined:
      if (status.provisional) return isJustSubmitted;
      return isSynced(now, subscription);
  }
}

function isSynced(now: RedisTime, subscription: JobSetView['subscription']): boolean {
  return subscription?.syncedAt !== undefined && msBetween(subscription.syncedAt, now) < SYNCED_FOR_MS;
}
