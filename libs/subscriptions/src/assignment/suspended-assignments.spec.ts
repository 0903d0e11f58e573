import { jest } from '@jest/globals';
import { SUSPENDED_FOR_MS, SuspendedAssignments } from './suspended-assignments.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function suspended(...ids: string[]) {
  const assignments = new SuspendedAssignments<{ abandon(): void; readonly id: string }>();
  const abandoned: string[] = [];
  for (const id of ids) assignments.keep(id, { id, abandon: () => abandoned.push(id) });
  return { assignments, abandoned };
}

describe('a suspended assignment', () => {
  it('is abandoned after its time', () => {
    const { assignments, abandoned } = suspended('a');
    jest.advanceTimersByTime(SUSPENDED_FOR_MS - 1);
    expect(abandoned).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(abandoned).toEqual(['a']);
    expect(assignments.take('a')).toBeUndefined();
  });

  it('is not abandoned once it goes on', () => {
    const { assignments, abandoned } = suspended('a', 'b');
    expect(assignments.take('a')?.id).toBe('a');
    expect(assignments.take('a')).toBeUndefined();
    jest.advanceTimersByTime(2 * SUSPENDED_FOR_MS);
    expect(abandoned).toEqual(['b']);
  });

  it('is abandoned at once when the replica stops', () => {
    const { assignments, abandoned } = suspended('a', 'b');
    assignments.abandonAll();
    expect(abandoned).toEqual(['a', 'b']);
  });
});
