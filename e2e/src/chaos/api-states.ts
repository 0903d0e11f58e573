import type { JobState } from '@ajs/job-state';
import type { Api } from './history.js';

/** Job states as the APIs of others name them; our own names them as they are. Written out again: the checker takes nothing from the code that it checks. */
const API_STATES: Readonly<
  Record<JobState, Readonly<Record<Exclude<Api, 'v2'>, string> & { terminal: boolean }>>
> = {
  SUBMITTED: { legacy: 'SUBMITTED', jobs: 'QUEUED', terminal: false },
  QUEUED: { legacy: 'SUBMITTED', jobs: 'QUEUED', terminal: false },
  LEASED: { legacy: 'SUBMITTED', jobs: 'LEASED', terminal: false },
  PENDING: { legacy: 'SUBMITTED', jobs: 'PENDING', terminal: false },
  RUNNING: { legacy: 'RUNNING', jobs: 'RUNNING', terminal: false },
  SUCCEEDED: { legacy: 'SUCCEEDED', jobs: 'SUCCEEDED', terminal: true },
  FAILED: { legacy: 'FAILED', jobs: 'FAILED', terminal: true },
  CANCELLED: { legacy: 'CANCELLED', jobs: 'CANCELLED', terminal: true },
  PREEMPTED: { legacy: 'FAILED', jobs: 'PREEMPTED', terminal: true },
  REJECTED: { legacy: 'FAILED', jobs: 'REJECTED', terminal: true },
  DUPLICATE_FOUND: { legacy: 'DUPLICATE_FOUND', jobs: 'CANCELLED', terminal: true },
};

export function apiStateOf(state: JobState, api: Api): string {
  return api === 'v2' ? state : API_STATES[state][api];
}

export function isTerminal(state: JobState): boolean {
  return API_STATES[state].terminal;
}

/** As {@link isTerminal}, of a state by the name that our own API gives it; false where there is none. */
export function isTerminalName(name: string | undefined): boolean {
  return name !== undefined && name in API_STATES && isTerminal(name as JobState);
}
