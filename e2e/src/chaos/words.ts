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

export function isEnd(state: JobState): boolean {
  return ENDS.has(state);
}
