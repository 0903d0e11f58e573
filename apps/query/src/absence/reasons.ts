import { msBetween } from '@ajs/job-state';
import type { JobSetView, SubscriptionView } from '@ajs/job-store';
import { isFollowed } from '../store/can-serve-from-cache.js';
import type { UnrecordedReport } from '../upstream/reported-jobs.js';

/*
 * Texts for people, in the `error` of an answer.
 */

/** Why it is not known whether a job without a record exists. */
export function whyUnresolved(subscription: SubscriptionView | undefined): string {
  if (subscription === undefined) return 'the job set is not followed yet: no ingester has taken it up';
  const { state, reason } = subscription;
  return `${EXPLANATION[state]}${reason === '' ? '' : `: ${reason}`}`;
}

const EXPLANATION: Record<SubscriptionView['state'], string> = {
  connecting: 'the job set is not synced yet: its event stream from Armada is being opened',
  'catching-up': 'the job set is not synced yet: its event stream is being read',
  live: 'the job set is synced, but Armada did not confirm in time that it has no such job',
  stalled: 'the job set is not synced at the moment',
  denied: 'Armada denies this service permission to watch the queue',
  gone: 'the queue does not exist in Armada',
};

/** Why a job that its synced stream does not hold may exist: it is too young. */
export function whyUnpublished(graceMs: number): string {
  return `the job is not synced yet: its id is younger than ${graceMs / 1000} s (NOT_FOUND_GRACE), and Armada may publish its events later`;
}

/** Why a job that its synced stream does not hold may exist: Armada's `api.Jobs` has not confirmed that it does not. */
export function whyUnconfirmed(reason: string): string {
  return `the event stream of the job set does not hold the job, but Armada may have it: ${reason}`;
}

/** Why a job may have left the state of its record long ago. */
export function whyOutdated({ now, subscription }: JobSetView, report: UnrecordedReport): string {
  const syncedAt = subscription?.syncedAt;
  const age =
    syncedAt === undefined
      ? 'never synced'
      : `last synced ${Math.round(msBetween(syncedAt, now) / 1000)} s ago`;
  const stream = isFollowed(now, subscription)
    ? 'its event stream has not shown this state yet'
    : whyUnresolved(subscription);
  return `last known state, ${age}: ${stream}, and ${upstreamReason(report)}`;
}

function upstreamReason(report: UnrecordedReport): string {
  switch (report.kind) {
    case 'unknown':
      return "Armada's api.Jobs does not know the job";
    case 'unsupported':
      return 'this Armada has no api.Jobs';
    case 'unanswered':
      return report.reason;
  }
}
