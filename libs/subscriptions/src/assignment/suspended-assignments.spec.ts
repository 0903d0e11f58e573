import { jest } from '@jest/globals';
import { AssignmentId } from '../budget/assignment-id.js';
import { SUSPENDED_FOR_MS, SuspendedAssignments } from './suspended-assignments.js';

const [A, B] = [AssignmentId('a'), AssignmentId('b')];

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function suspended(...ids: AssignmentId[]) {
  const assignments = new SuspendedAssignments<{ abandon(): void; readonly id: string }>();
  const abandoned: string[] = [];
  for (const id of ids) assignments.keep(id, { id, abandon: () => abandoned.push(id) });
  return { assignments, abandoned };
}

describe('a suspended assignment', () => {
  it('is abandoned after its time', () => {
    const { assignments, abandoned } = suspended(A);
    jest.advanceTimersByTime(SUSPENDED_FOR_MS - 1);
    expect(abandoned).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(abandoned).toEqual(['a']);
    expect(assignments.take(A)).toBeUndefined();
  });

  it('is not abandoned once it goes on', () => {
    const { assignments, abandoned } = suspended(A, B);
    expect(assignments.take(A)?.id).toBe('a');
    expect(assignments.take(A)).toBeUndefined();
    jest.advanceTimersByTime(2 * SUSPENDED_FOR_MS);
    expect(abandoned).toEqual(['b']);
  });

  it('has its whole time each time, also where it is suspended again', () => {
    const { assignments, abandoned } = suspended(A);
    jest.advanceTimersByTime(SUSPENDED_FOR_MS - 1);
    const assignment = assignments.take(A);
    if (assignment !== undefined) assignments.keep(A, assignment);
    jest.advanceTimersByTime(SUSPENDED_FOR_MS - 1);
    expect(abandoned).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(abandoned).toEqual(['a']);
  });

  it('is abandoned at once when the replica stops', () => {
    const { assignments, abandoned } = suspended(A, B);
    assignments.abandonAll();
    expect(abandoned).toEqual(['a', 'b']);
  });
});
