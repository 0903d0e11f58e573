import { JobServiceResponse_State as State } from '@ajs/contracts/jobservice/jobservice';
import type { JobState } from '@ajs/job-state';
import { toLegacyResponse } from './index.js';

const texts = { failure: { reason: 'exit 7' }, cancellation: { reason: 'enough', requestor: 'alice' } };

describe('the state of a job by the legacy API', () => {
  it.each<[JobState, State, string]>([
    ['SUBMITTED', State.SUBMITTED, ''],
    ['QUEUED', State.SUBMITTED, ''],
    ['LEASED', State.SUBMITTED, ''],
    ['PENDING', State.SUBMITTED, ''],
    ['RUNNING', State.RUNNING, ''],
    ['SUCCEEDED', State.SUCCEEDED, ''],
    ['FAILED', State.FAILED, 'exit 7'],
    ['PREEMPTED', State.FAILED, 'exit 7'],
    ['REJECTED', State.FAILED, 'exit 7'],
    ['DUPLICATE_FOUND', State.DUPLICATE_FOUND, 'exit 7'],
    ['CANCELLED', State.CANCELLED, 'enough'],
  ])('%s has the reason that belongs to it, and no other', (state, legacy, error) => {
    expect(toLegacyResponse({ state, ...texts })).toEqual({ state: legacy, error });
  });

  it.each<JobState>(['FAILED', 'CANCELLED'])('%s has no text where no reason is known', (state) => {
    expect(toLegacyResponse({ state }).error).toBe('');
  });
});
