import type { JobDetails } from '@ajs/contracts/api/job';
import { isTerminal, type JobEnd } from '@ajs/job-state';
import { LONGEST_NAME, LONGEST_REASON, cut, cutForPeople } from './bounds.js';
import { toArmadaTime } from './timestamps.js';
import { fromApiJobState } from './to-jobs-api.js';

/**
 * How a job ended, from what Armada's own `GetJobDetails` and `GetJobErrors` say of it; `undefined` where it has not. What is kept of
 * texts is bounded.
 */
export function toJobEnd(details: JobDetails, error = ''): JobEnd | undefined {
  const state = fromApiJobState(details.state);
  if (state === undefined || !isTerminal(state)) return undefined;
  const at = toArmadaTime(details.lastTransitionTs);
  return {
    state,
    ...(at !== undefined && { at }),
    ...(error !== '' && { failure: { reason: cutForPeople(error, LONGEST_REASON) } }),
    ...(state === 'CANCELLED' && {
      cancellation: {
        reason: cutForPeople(details.cancelReason, LONGEST_REASON),
        requestor: cut(details.cancelUser, LONGEST_NAME),
      },
    }),
  };
}
