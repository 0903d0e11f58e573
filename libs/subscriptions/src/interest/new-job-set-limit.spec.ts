import { MonotonicTime } from '@ajs/job-state';
import { NewJobSetLimit } from './new-job-set-limit.js';

describe('job sets that nobody asked about before', () => {
  let now: number;
  let newcomers: NewJobSetLimit;

  beforeEach(() => {
    now = 0;
    newcomers = new NewJobSetLimit(3, () => MonotonicTime(now));
  });

  const taken = (caller: string, times: number): number =>
    Array.from({ length: times }, () => newcomers.take(caller)).filter(Boolean).length;

  it('are so many for one caller, each for itself', () => {
    expect([taken('a', 5), taken('b', 2), taken('b', 5)]).toEqual([3, 2, 1]);
  });

  it('are allowed again as time goes on, as many in ten minutes, and no more however long', () => {
    taken('a', 3);
    now = 200_000;
    expect(taken('a', 5)).toBe(1);
    now += 3_600_000;
    expect(taken('a', 5)).toBe(3);
  });

  it('do not count where they turn out to be no newcomers', () => {
    for (let i = 0; i < 10; i++) {
      expect(newcomers.take('a')).toBe(true);
      newcomers.giveBack('a');
    }
    newcomers.giveBack('a');
    expect(taken('a', 5)).toBe(3);
  });
});
