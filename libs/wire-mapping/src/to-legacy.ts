import { JobServiceResponse_State, type JobServiceResponse } from '@ajs/contracts/jobservice/jobservice';
import { JOB_STATES, isFailure, type JobRecord } from '@ajs/job-state';

/** A job's state as the legacy API shows it, with the reason where the job did not end well. */
export function toLegacyResponse(
  record: Pick<JobRecord, 'state' | 'failure' | 'cancellation'>,
): JobServiceResponse {
  const { state, failure, cancellation } = record;
  const reason = state === 'CANCELLED' ? cancellation?.reason : isFailure(state) ? failure?.reason : '';
  return { state: JobServiceResponse_State[JOB_STATES[state].legacy], error: reason ?? '' };
}
