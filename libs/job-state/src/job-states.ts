interface StateTraits {
  /** How the state is stored. Fixed for ever: never changed, never given to another state. */
  readonly number: number;
  /** No later event counts (invariant P1). */
  readonly terminal: boolean;
  /** The job ended badly: there is a text that says why. */
  readonly failure: boolean;
  /** The name that `api.Jobs` has for it. */
  readonly api: string;
  /** The name that the legacy API has for it, which knows neither queues nor runs. */
  readonly legacy: string;
}

/**
 * Every state a job can be in, and all that depends on the state alone. A new state is a new line here; what else has to know
 * of it does not compile until it does.
 *
 * `api.Jobs` shows a job that was only submitted as queued, as Armada does, and has no word for a duplicate.
 */
export const JOB_STATES = {
  SUBMITTED: { number: 0, terminal: false, failure: false, api: 'QUEUED', legacy: 'SUBMITTED' },
  QUEUED: { number: 1, terminal: false, failure: false, api: 'QUEUED', legacy: 'SUBMITTED' },
  LEASED: { number: 2, terminal: false, failure: false, api: 'LEASED', legacy: 'SUBMITTED' },
  PENDING: { number: 3, terminal: false, failure: false, api: 'PENDING', legacy: 'SUBMITTED' },
  RUNNING: { number: 4, terminal: false, failure: false, api: 'RUNNING', legacy: 'RUNNING' },
  SUCCEEDED: { number: 5, terminal: true, failure: false, api: 'SUCCEEDED', legacy: 'SUCCEEDED' },
  FAILED: { number: 6, terminal: true, failure: true, api: 'FAILED', legacy: 'FAILED' },
  CANCELLED: { number: 7, terminal: true, failure: false, api: 'CANCELLED', legacy: 'CANCELLED' },
  PREEMPTED: { number: 8, terminal: true, failure: true, api: 'PREEMPTED', legacy: 'FAILED' },
  REJECTED: { number: 9, terminal: true, failure: true, api: 'REJECTED', legacy: 'FAILED' },
  DUPLICATE_FOUND: { number: 10, terminal: true, failure: true, api: 'CANCELLED', legacy: 'DUPLICATE_FOUND' },
} as const satisfies Readonly<Record<string, StateTraits>>;

export type JobState = keyof typeof JOB_STATES;

/** A state that a job ends in. */
export type TerminalState = {
  [State in JobState]: (typeof JOB_STATES)[State]['terminal'] extends true ? State : never;
}[JobState];

/** Whether no later event counts (invariant P1). */
export function isTerminal(state: JobState): state is TerminalState {
  return JOB_STATES[state].terminal;
}

/** Whether the job ended badly, so that there is a text that says why. */
export function isFailure(state: JobState): boolean {
  return JOB_STATES[state].failure;
}

const BY_NUMBER: ReadonlyMap<number, JobState> = new Map(
  (Object.keys(JOB_STATES) as JobState[]).map((state) => [JOB_STATES[state].number, state]),
);

/** The state that is stored as `number`; `undefined` for the state of a newer version. */
export function stateOfNumber(number: number): JobState | undefined {
  return BY_NUMBER.get(number);
}
