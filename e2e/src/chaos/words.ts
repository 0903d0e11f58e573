import type { JobState } from '@ajs/job-state';
import type { Api } from './history.js';

/** The states in the words of both APIs, written down anew: the checker takes nothing from what it checks. */
const WORDS: Readonly<Record<JobState, Readonly<Record<Api, string>>>> = {
  SUBMITTED: { legacy: 'SUBMITTED', jobs: 'QUEUED' },
  QUEUED: { legacy: 'SUBMITTED', jobs: 'QUEUED' },
  LEASED: { legacy: 'SUBMITTED', jobs: 'LEASED' },
  PENDING: { legacy: 'SUBMITTED', jobs: 'PENDING' },
  RUNNING: { legacy: 'RUNNING', jobs: 'RUNNING' },
  SUCCEEDED: { legacy: 'SUCCEEDED', jobs: 'SUCCEEDED' },
  FAILED: { legacy: 'FAILED', jobs: 'FAILED' },
  CANCELLED: { legacy: 'CANCELLED', jobs: 'CANCELLED' },
  PREEMPTED: { legacy: 'FAILED', jobs: 'PREEMPTED' },
  REJECTED: { legacy: 'FAILED', jobs: 'REJECTED' },
  DUPLICATE_FOUND: { legacy: 'DUPLICATE_FOUND', jobs: 'CANCELLED' },
};

export function wordOf(state: JobState, api: Api): string {
  return WORDS[state][api];
}

const ENDS: ReadonlySet<JobState> = new Set<JobState>([
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'PREEMPTED',
  'REJECTED',
  'DUPLICATE_FOUND',
]);

/** Whether this is what an API calls the state of a job that has ended. */
export function isWordOfEnd(word: string, api: Api): boolean {
  return Array.from(ENDS).some((state) => wordOf(state, api) === word);
}

export function isEnd(state: JobState): boolean {
  return ENDS.has(state);
}
