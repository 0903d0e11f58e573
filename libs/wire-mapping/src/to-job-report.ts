import type { JobDetails } from '@ajs/contracts/api/job';
import { isFailure, type JobReport } from '@ajs/job-state';
import { LONGEST_NAME, LONGEST_REASON, cut, cutForPeople } from './bounds.js';
import { toArmadaTime } from './timestamps.js';
import { fromApiJobState } from './to-jobs-api.js';

/**
 * Where a job stands, from Armada's own `GetJobDetails`, with its runs, and `GetJobErrors`; `undefined` in a state that this version does not
 * know. What is kept of texts is bounded.
 *
 * @param error '' where Armada has none for the job; left out where it was not asked
 */
export function toJobReport(details: JobDetails, error?: string): JobReport | undefined {
  const state = fromApiJobState(details.state);
  if (state === undefined) return undefined;
  const latest = details.jobRuns.find(({ runId }) => runId === details.latestRunId);
  const at = toArmadaTime(details.lastTransitionTs);
  const leasedAt = toArmadaTime(latest?.leasedTs);
  const submittedAt = toArmadaTime(details.submittedTs);
  return {
    state,
    ...(at !== undefined && { at }),
    ...(leasedAt !== undefined && { leasedAt }),
    ...(submittedAt !== undefined && { submittedAt }),
    ...(isFailure(state) &&
      error !== undefined && { failure: { reason: cutForPeople(error, LONGEST_REASON) } }),
    ...(state === 'CANCELLED' && {
      cancellation: {
        reason: cutForPeople(details.cancelReason, LONGEST_REASON),
        requestor: cut(details.cancelUser, LONGEST_NAME),
      },
    }),
  };
}
