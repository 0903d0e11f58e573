import {
  ArmadaTime,
  msBetween,
  toMs,
  isFailure,
  isTerminal,
  type JobRecord,
  type RedisTime,
} from '@ajs/job-state';
import type { JobSetView, JobStatus, SubscriptionView } from '@ajs/job-store';

/** How long a job set still counts as synced while its stream is reopened, or until its next scheduled read. Milliseconds. */
const SYNCED_FOR_MS = 15_000;

type CachedStatus = Pick<JobStatus, 'state' | 'changedAt' | 'failure' | 'provisional'> & {
  readonly reported?: JobStatus['reported'] | JobRecord['reported'];
};
type Moment = Pick<JobSetView, 'now' | 'subscription'>;

/**
 * Whether a stream stands behind the cached state of a job, so that a later state will be noticed. If not, the state may stay as it is for
 * ever, whatever happens to the job: its stream is not followed (denied, gone, stalled, failing), or has not shown this state, which
 * is reported by Armada's `api.Jobs`, or the job at all, which is provisional. A job that was submitted through this service has
 * `provisionalGraceMs` to appear in its stream: Armada's own database may not have it either. An end needs no stream, but for its reason where
 * the report had none.
 */
export function isBackedByStream(
  status: CachedStatus,
  { now, subscription }: Moment,
  provisionalGraceMs: number,
): boolean {
  if (isTerminal(status.state)) {
    const lacksReason = isFailure(status.state) && status.failure === undefined;
    return status.reported === undefined || !lacksReason;
  }
  if (status.reported !== undefined) return false;
  if (status.provisional) {
    return !isUnfollowed(subscription) && isJustSubmitted(status, now, provisionalGraceMs);
  }
  return isFollowed(now, subscription);
}

/** Whether the stream of a job set is read, or about to be. One whose connection fails counts for some seconds more. */
export function isFollowed(now: RedisTime, subscription: SubscriptionView | undefined): boolean {
  if (subscription === undefined || isUnfollowed(subscription)) return false;
  const isFailing = subscription.state === 'connecting' && subscription.reason !== '';
  return !isFailing || isSynced(now, subscription);
}

/**
 * Whether the cached state of a job may be the whole answer of `api.Jobs`. If not, Armada's own `api.Jobs` is asked, with the cached
 * state as the fallback: no stream stands behind the state, or it has not been read lately.
 */
export function canServeFromCache(status: CachedStatus, moment: Moment, provisionalGraceMs: number): boolean {
  if (!isBackedByStream(status, moment, provisionalGraceMs)) return false;
  const { now, subscription } = moment;
  const isWatched = subscription?.state === 'live' && subscription.nextReadAt === undefined;
  return isTerminal(status.state) || status.provisional === true || isWatched || isSynced(now, subscription);
}

function isUnfollowed(subscription: SubscriptionView | undefined): boolean {
  switch (subscription?.state) {
    case 'stalled':
    case 'denied':
    case 'gone':
      return true;
    case 'connecting':
    case 'catching-up':
    case 'live':
    case undefined:
      return false;
  }
}

function isJustSubmitted({ state, changedAt }: CachedStatus, now: RedisTime, graceMs: number): boolean {
  // Redis' clock is taken for Armada's here: they are apart by much less than the grace.
  return state === 'SUBMITTED' && msBetween(changedAt, ArmadaTime(toMs(now))) < graceMs;
}

function isSynced(now: RedisTime, subscription: SubscriptionView | undefined): boolean {
  return subscription?.syncedAt !== undefined && msBetween(subscription.syncedAt, now) < SYNCED_FOR_MS;
}
