import type { JobState } from '@ajs/job-state';
import type { Api } from './history.js';

/** The states in the words of both APIs, written down anew: the checker takes nothing from what it checks. */
const WORDS: Readonly<Record<JobState, Readonly<Record<Api, string> & { ended: boolean }>>> = {
  SUBMITTED: { legacy: 'SUBMITTED', jobs: 'QUEUED', ended: false },
  QUEUED: { legacy: 'SUBMITTED', jobs: 'QUEUED', ended: false },
  LEASED: { legacy: 'SUBMITTED', jobs: 'LEASED', ended: false },
  PENDING: { legacy: 'SUBMITTED', jobs: 'PENDING', ended: false },
  RUNNING: { legacy: 'RUNNING', jobs: 'RUNNING', ended: false },
  SUCCEEDED: { legacy: 'SUCCEEDED', jobs: 'SUCCEEDED', ended: true },
  FAILED: { legacy: 'FAILED', jobs: 'FAILED', ended: true },
  CANCELLED: { legacy: 'CANCELLED', jobs: 'CANCELLED', ended: true },
  PREEMPTED: { legacy: 'FAILED', jobs: 'PREEMPTED', ended: true },
  REJECTED: { legacy: 'FAILED', jobs: 'REJECTED', ended: true },
  DUPLICATE_FOUND: { legacy: 'DUPLICATE_FOUND', jobs: 'CANCELLED', ended: true },
};

export function wordOf(state: JobState, api: Api): string {
  return WORDS[state][api];
}

/** Whether this is what an API calls the state of a job that has ended. */
export function isWordOfEnd(word: string, api: Api): boolean {
  return Object.values(WORDS).some((words) => words.ended && words[api] === word);
}

export function isEnd(state: JobState): boolean {
  return WORDS[state].ended;
}
