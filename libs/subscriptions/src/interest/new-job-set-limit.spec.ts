import { MonotonicTime } from '@ajs/job-state';
import { NewJobSetLimit } from './new-job-set-limit.js';

describe('new job sets', () => {
  let now: number;
  let limit: NewJobSetLimit;

  beforeEach(() => {
    now = 0;
    limit = new NewJobSetLimit(3, () => MonotonicTime(now));
  });

  const taken = (caller: string, times: number): number =>
    Array.from({ length: times }, () => limit.take(caller)).filter(Boolean).length;

  it('are limited for each caller by itself', () => {
    expect([taken('a', 5), taken('b', 2), taken('b', 5)]).toEqual([3, 2, 1]);
  });

  it('are allowed again as time passes, as many in ten minutes, and no more however long', () => {
    taken('a', 3);
    now = 200_000;
    expect(taken('a', 5)).toBe(1);
    now += 3_600_000;
    expect(taken('a', 5)).toBe(3);
  });

  it('do not count where they turn out not to be new', () => {
    for (let i = 0; i < 10; i++) {
      expect(limit.take('a')).toBe(true);
      limit.giveBack('a');
    }
    limit.giveBack('a');
    expect(taken('a', 5)).toBe(3);
  });
});
