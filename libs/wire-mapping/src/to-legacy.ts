import { JobServiceResponse_State, type JobServiceResponse } from '@ajs/contracts/jobservice/jobservice';
import type { JobRecord, JobState } from '@ajs/job-state';

/** The legacy enum knows neither queues nor runs. Exhaustive: a new state stops compiling until it has a place here. */
const LEGACY_STATE: Record<JobState, JobServiceResponse['state']> = {
  SUBMITTED: JobServiceResponse_State.SUBMITTED,
  QUEUED: JobServiceResponse_State.SUBMITTED,
  LEASED: JobServiceResponse_State.SUBMITTED,
  PENDING: JobServiceResponse_State.SUBMITTED,
  RUNNING: JobServiceResponse_State.RUNNING,
  SUCCEEDED: JobServiceResponse_State.SUCCEEDED,
  FAILED: JobServiceResponse_State.FAILED,
  PREEMPTED: JobServiceResponse_State.FAILED,
  REJECTED: JobServiceResponse_State.FAILED,
  CANCELLED: JobServiceResponse_State.CANCELLED,
  DUPLICATE_FOUND: JobServiceResponse_State.DUPLICATE_FOUND,
};

const TELLS_FAILURE: ReadonlySet<JobState> = new Set<JobState>([
  'FAILED',
  'PREEMPTED',
  'REJECTED',
  'DUPLICATE_FOUND',
]);

/** A job's state as the legacy API tells it, with the reason where the job did not end well. */
export function toLegacyResponse(
  record: Pick<JobRecord, 'state' | 'failure' | 'cancellation'>,
): JobServiceResponse {
  const { state, failure, cancellation } = record;
  const reason =
    state === 'CANCELLED' ? cancellation?.reason : TELLS_FAILURE.has(state) ? failure?.reason : '';
  return { state: LEGACY_STATE[state], error: reason ?? '' };
}
