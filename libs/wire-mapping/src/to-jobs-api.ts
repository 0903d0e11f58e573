import { JobState as ApiJobState } from '@ajs/contracts/api/submit';
import type { JobRecord, JobState } from '@ajs/job-state';

/**
 * `api.Jobs` shows a job that was only submitted as queued, as Armada does, and has no word for a duplicate. Exhaustive: a
 * new state stops compiling until it has a place here.
 */
const API_STATE: Record<JobState, ApiJobState> = {
  SUBMITTED: ApiJobState.QUEUED,
  QUEUED: ApiJobState.QUEUED,
  LEASED: ApiJobState.LEASED,
  PENDING: ApiJobState.PENDING,
  RUNNING: ApiJobState.RUNNING,
  SUCCEEDED: ApiJobState.SUCCEEDED,
  FAILED: ApiJobState.FAILED,
  PREEMPTED: ApiJobState.PREEMPTED,
  REJECTED: ApiJobState.REJECTED,
  CANCELLED: ApiJobState.CANCELLED,
  DUPLICATE_FOUND: ApiJobState.CANCELLED,
};

/** A job's state as `api.Jobs` tells it. */
export function toApiJobState({ state }: Pick<JobRecord, 'state'>): ApiJobState {
  return API_STATE[state];
}
