import type { JobStatus, SubscriptionView } from '@ajs/job-store';

/**
 * Until the first catch-up is over, a state that comes from the stream may be one that the job left long ago. A connection to Armada
 * that fails is not waited for: that may last.
 */
export function isFirstCatchUp(
  { provisional }: Pick<JobStatus, 'provisional'>,
  subscription: SubscriptionView | undefined,
): boolean {
  if (subscription === undefined || subscription.syncedAt !== undefined) return false;
  const { state, reason } = subscription;
  return state === 'catching-up' || (state === 'connecting' && reason === '' && provisional !== true);
}
