import { JobState as ApiJobState } from '@ajs/contracts/api/submit';
import { JOB_STATES, type JobState } from '@ajs/job-state';

/** A job's state as `api.Jobs` shows it. */
export function toApiJobState({ state }: { readonly state: JobState }): ApiJobState {
  return ApiJobState[JOB_STATES[state].api];
}

// Armada's names are ours as well: a name that no state has does not compile.
const { UNKNOWN: _, ...named } = ApiJobState;
const BY_VALUE: ReadonlyMap<number, JobState> = new Map(
  (Object.keys(named) as (keyof typeof named)[]).map((name) => [named[name], name]),
);

/** A state that Armada's own `api.Jobs` reports; `undefined` for UNKNOWN, and for a state that this version does not know. */
export function fromApiJobState(state: ApiJobState): JobState | undefined {
  return BY_VALUE.get(state);
}
