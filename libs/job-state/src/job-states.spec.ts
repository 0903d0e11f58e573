import { JOB_STATES, isFailure, isTerminal, stateOfNumber, type JobState } from './index.js';

const STATES = Object.keys(JOB_STATES) as JobState[];

describe('the table of job states', () => {
  it('never changes the number that a state is stored as', () => {
    expect(Object.fromEntries(STATES.map((state) => [state, JOB_STATES[state].number]))).toEqual({
      SUBMITTED: 0,
      QUEUED: 1,
      LEASED: 2,
      PENDING: 3,
      RUNNING: 4,
      SUCCEEDED: 5,
      FAILED: 6,
      CANCELLED: 7,
      PREEMPTED: 8,
      REJECTED: 9,
      DUPLICATE_FOUND: 10,
    });
  });

  it.each(STATES)('reads %s back from its number', (state) => {
    expect(stateOfNumber(JOB_STATES[state].number)).toBe(state);
  });

  it.each([-1, 11, 14, 15, 255, 0.5, NaN])('has no state for the number %d', (number) => {
    expect(stateOfNumber(number)).toBeUndefined();
  });

  it('counts as failures the ends that have a reason, and nothing that goes on', () => {
    expect(STATES.filter(isFailure)).toEqual(['FAILED', 'PREEMPTED', 'REJECTED', 'DUPLICATE_FOUND']);
    expect(STATES.filter(isFailure).every(isTerminal)).toBe(true);
    expect(STATES.filter((state) => isTerminal(state) && !isFailure(state))).toEqual([
      'SUCCEEDED',
      'CANCELLED',
    ]);
  });
});
