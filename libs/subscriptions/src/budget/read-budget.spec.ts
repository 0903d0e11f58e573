import { jest } from '@jest/globals';
import { MonotonicTime } from '@ajs/job-state';
import { completesWithin } from '@ajs/platform';
import { eventually } from '@ajs/testing';
import { ReadBudget, type Urgency } from './read-budget.js';

let enough: AbortController;
beforeEach(() => (enough = new AbortController()));
afterEach(() => enough.abort());

describe('reads of Armada', () => {
  it('begin no more often than they may over ten seconds, a part of them at once after a quiet time', async () => {
    let now = 0;
    const reads = new ReadBudget(
      () => 10,
      () => MonotonicTime(now),
    );
    now = 60_000;
    let begun = 0;
    for (let n = 0; n < 30; n++) void reads.take('watched', enough.signal).then(() => begun++);
    await eventually('half a second’s worth', () => begun === 5);
    expect(reads.backlog).toBe(25);
    now += 400;
    await eventually('as many as may begin in that time', () => begun === 8);
    expect(reads.backlog).toBe(22);
  });

  it('leave a part of what may begin at once to urgent ones where they are merely due', async () => {
    let now = 0;
    const reads = new ReadBudget(
      () => 100,
      () => MonotonicTime(now),
    );
    now = 60_000;
    const begun = { due: 0, requested: 0 };
    for (const urgency of ['due', 'requested'] as const) {
      for (let n = 0; n < 60; n++) void reads.take(urgency, enough.signal).then(() => begun[urgency]++);
      await eventually(`some are ${urgency}`, () => begun[urgency] > 0);
    }
    expect(begun).toEqual({ due: 11, requested: 39 });
  });

  it('begin in the order of their urgency', async () => {
    let now = 0;
    const reads = new ReadBudget(
      () => 1,
      () => MonotonicTime(now),
    );
    const begun: Urgency[] = [];
    for (const urgency of ['due', 'watched', 'requested', 'due'] as const) {
      void reads.take(urgency, enough.signal).then(() => begun.push(urgency));
    }
    for (let n = 1; n <= 4; n++) {
      now = n * 1_100;
      void reads.take('due', AbortSignal.abort());
      await eventually(`read ${n}`, () => begun.length === n);
    }
    expect(begun).toEqual(['requested', 'watched', 'due', 'due']);
  });

  it('that a poll waits for begin as soon as one may, though one that is due waits until more of them may', async () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    try {
      let now = 0;
      const reads = new ReadBudget(
        () => 10,
        () => MonotonicTime(now),
      );
      const begun: Urgency[] = [];
      for (const urgency of ['due', 'requested'] as const) {
        void reads.take(urgency, enough.signal).then(() => begun.push(urgency));
      }
      expect(jest.getTimerCount()).toBe(1);
      now = 106;
      await jest.advanceTimersByTimeAsync(106);
      expect(begun).toEqual(['requested']);
      // Nobody looks before the other one may begin.
      const timers = jest.spyOn(globalThis, 'setTimeout');
      now = 300;
      await jest.advanceTimersByTimeAsync(194);
      expect(timers).not.toHaveBeenCalled();
      timers.mockRestore();
      now = 600;
      await jest.advanceTimersByTimeAsync(300);
      expect(begun).toEqual(['requested', 'due']);
    } finally {
      jest.useRealTimers();
    }
  });

  it('cost nothing once they are withdrawn', async () => {
    const reads = new ReadBudget(
      () => 1,
      () => MonotonicTime(0),
    );
    const gone = new AbortController();
    const waiting = reads.take('due', gone.signal);
    gone.abort();
    for (const one of [waiting, reads.take('due', gone.signal)]) {
      expect(await completesWithin(30_000, one)).toBe(true);
    }
    expect(reads.backlog).toBe(0);
  });
});
