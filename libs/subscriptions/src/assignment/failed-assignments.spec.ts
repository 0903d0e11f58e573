import { MonotonicTime } from '@ajs/job-state';
import { AssignmentId } from '../budget/assignment-id.js';
import { FailedAssignments } from './failed-assignments.js';

const [A, B] = [AssignmentId('a'), AssignmentId('b')];

function setUp() {
  let now = 0;
  const failed = new FailedAssignments(() => MonotonicTime(now));
  return { failed, pass: (ms: number) => (now += ms) };
}

describe('a failed assignment', () => {
  it('is left alone for its time, and others are not', () => {
    const { failed, pass } = setUp();
    const { retryInMs, inARow } = failed.add(A, 'failed');
    expect(inARow).toBe(1);
    expect(retryInMs).toBeGreaterThanOrEqual(5_000);
    expect(failed.retryIn(B)).toBeUndefined();
    pass(retryInMs - 1);
    expect(failed.retryIn(A)).toBeCloseTo(1);
    pass(1);
    expect(failed.retryIn(A)).toBeUndefined();
  });

  it.each([
    ['failed', 300_000],
    ['unreadable', 60_000],
    ['denied', 30_000],
  ] as const)(
    'is tried ever more rarely while it stays %s, and no more rarely than every %d ms',
    (why, maxMs) => {
      const { failed } = setUp();
      const waits = Array.from({ length: 12 }, () => failed.add(A, why).retryInMs);
      expect(waits[4]).toBeGreaterThan(waits[0] ?? Infinity);
      expect(Math.max(...waits)).toBeLessThanOrEqual(maxMs);
      expect(waits.at(-1)).toBeGreaterThanOrEqual(maxMs / 2);
      expect(failed.add(A, why).inARow).toBe(13);
    },
  );

  it('waits as long as its last cause asks for, whatever failed before', () => {
    const { failed } = setUp();
    for (let n = 0; n < 10; n++) failed.add(A, 'failed');
    const { retryInMs, inARow } = failed.add(A, 'denied');
    expect([inARow, retryInMs <= 1_000]).toEqual([11, true]);
  });

  it('begins anew once the job set could be followed', () => {
    const { failed } = setUp();
    for (let n = 0; n < 10; n++) failed.add(A, 'unreadable');
    failed.delete(A);
    expect(failed.retryIn(A)).toBeUndefined();
    const { retryInMs, inARow } = failed.add(A, 'unreadable');
    expect([inARow, retryInMs <= 1_000]).toEqual([1, true]);
  });
});
