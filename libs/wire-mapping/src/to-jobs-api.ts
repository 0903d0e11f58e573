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

const OWN_STATE: Record<ApiJobState, JobState | undefined> = {
  [ApiJobState.SUBMITTED]: 'SUBMITTED',
  [ApiJobState.QUEUED]: 'QUEUED',
  [ApiJobState.LEASED]: 'LEASED',
  [ApiJobState.PENDING]: 'PENDING',
  [ApiJobState.RUNNING]: 'RUNNING',
  [ApiJobState.SUCCEEDED]: 'SUCCEEDED',
  [ApiJobState.FAILED]: 'FAILED',
  [ApiJobState.PREEMPTED]: 'PREEMPTED',
  [ApiJobState.REJECTED]: 'REJECTED',
  [ApiJobState.CANCELLED]: 'CANCELLED',
  [ApiJobState.UNKNOWN]: undefined,
};

/** A state that Armada's own `api.Jobs` told; `undefined` for UNKNOWN, and for a state that this version does not know. */
export function fromApiJobState(state: ApiJobState): JobState | undefined {
  // Decoding gives an unknown enum's raw number.
  return (OWN_STATE as Partial<typeof OWN_STATE>)[state];
}
