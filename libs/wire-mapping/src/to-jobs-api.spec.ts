import { JobState as ApiJobState } from '@ajs/contracts/api/submit';
import { fromApiJobState, toApiJobState } from './to-jobs-api.js';

describe('states of api.Jobs', () => {
  it('come back as they went, but for those without a state of their own there', () => {
    for (const state of ['QUEUED', 'LEASED', 'PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED'] as const) {
      expect(fromApiJobState(toApiJobState({ state }))).toBe(state);
    }
    for (const state of ['PREEMPTED', 'REJECTED', 'CANCELLED'] as const) {
      expect(fromApiJobState(toApiJobState({ state }))).toBe(state);
    }
    expect(toApiJobState({ state: 'SUBMITTED' })).toBe(ApiJobState.QUEUED);
    expect(toApiJobState({ state: 'DUPLICATE_FOUND' })).toBe(ApiJobState.CANCELLED);
  });

  it('that say nothing, or that this version does not know, are none', () => {
    expect(fromApiJobState(ApiJobState.UNKNOWN)).toBeUndefined();
    expect(fromApiJobState(77 as ApiJobState)).toBeUndefined();
  });
});
