import { jest } from '@jest/globals';
import { SUSPENDED_FOR_MS, SuspendedAssignments } from './suspended-assignments.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function suspended(...turnIds: string[]) {
  const turns = new SuspendedAssignments<{ giveUp(): void; readonly id: string }>();
  const givenUp: string[] = [];
  for (const id of turnIds) turns.keep(id, { id, giveUp: () => givenUp.push(id) });
  return { turns, givenUp };
}

describe('a suspended turn', () => {
  it('is given up after its time', () => {
    const { turns, givenUp } = suspended('a');
    jest.advanceTimersByTime(SUSPENDED_FOR_MS - 1);
    expect(givenUp).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(givenUp).toEqual(['a']);
    expect(turns.take('a')).toBeUndefined();
  });

  it('that goes on is not given up any more', () => {
    const { turns, givenUp } = suspended('a', 'b');
    expect(turns.take('a')?.id).toBe('a');
    expect(turns.take('a')).toBeUndefined();
    jest.advanceTimersByTime(2 * SUSPENDED_FOR_MS);
    expect(givenUp).toEqual(['b']);
  });

  it('is given up at once when the replica stops', () => {
    const { turns, givenUp } = suspended('a', 'b');
    turns.giveUpAll();
    expect(givenUp).toEqual(['a', 'b']);
  });
});
