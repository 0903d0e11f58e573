import { JobState as V2JobState } from '@ajs/contracts/jobservice/v2/job_status_service';
import { JOB_STATES, type JobState } from '@ajs/job-state';

/** A job's state as `jobservice.v2` shows it. */
export function toV2JobState(state: JobState): V2JobState {
  return V2JobState[`JOB_STATE_${state}`];
}

const BY_VALUE: ReadonlyMap<V2JobState, JobState> = new Map(
  (Object.keys(JOB_STATES) as JobState[]).map((state) => [toV2JobState(state), state]),
);

/** The state that a request of `jobservice.v2` names; `undefined` for UNSPECIFIED, and for a number that is no state. */
export function fromV2JobState(state: V2JobState): JobState | undefined {
  return BY_VALUE.get(state);
}
