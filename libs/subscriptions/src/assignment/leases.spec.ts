import { jest } from '@jest/globals';
import { MonotonicTime } from '@ajs/job-state';
import { eventually } from '@ajs/testing';
import { AssignmentId } from '../budget/assignment-id.js';
import { LEASE_MS, Leases } from './leases.js';

/** Leases on a clock that a test moves, renewed by a function that it answers. */
function setUp() {
  let now = 0;
  let refuse: string[] = [];
  let away = false;
  let answered = Promise.resolve();
  const errors: Error[] = [];
  const renewals: string[][] = [];
  const leases = new Leases(
    async (ids) => {
      renewals.push(ids);
      await answered;
      if (away) throw new Error('Connection is closed.');
      return refuse;
    },
    (error) => errors.push(error),
    () => MonotonicTime(now),
  );
  cleanups.push(() => leases.close());
  return {
    leases,
    errors,
    renewals,
    pass: (ms: number) => (now += ms),
    refuse: (...ids: string[]) => (refuse = ids),
    hang: () => {
      let answer = (): void => undefined;
      answered = new Promise((resolve) => (answer = resolve));
      return answer;
    },
    setAway: (value: boolean) => (away = value),
  };
}

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanUp) => cleanUp()));
const [A, B] = [AssignmentId('a'), AssignmentId('b')];

describe('leases', () => {
  it('are held until they were not renewed for their time, less a margin', async () => {
    const { leases, pass, setAway } = setUp();
    const lease = await leases.take(A, 'token');
    setAway(true);
    pass(LEASE_MS - 201);
    expect(lease?.isHeld()).toBe(true);
    pass(1);
    expect(lease?.isHeld()).toBe(false);
  });

  it('count from when a renewal was sent: Redis may have taken it then', async () => {
    const { leases, renewals, pass, hang } = setUp();
    const takeIn = hang();
    const taking = leases.take(A, 'token');
    pass(500);
    takeIn();
    const lease = await taking;
    pass(LEASE_MS - 701);
    expect(lease?.isHeld()).toBe(true);
    const renewIn = hang();
    await eventually('it is renewed', () => renewals.length === 2);
    pass(1);
    expect(lease?.isHeld()).toBe(false);
    // The renewals after this one are not answered.
    hang();
    renewIn();
    await eventually('it is held again', () => lease?.isHeld() === true);
    pass(LEASE_MS - 202);
    expect(lease?.isHeld()).toBe(true);
    pass(1);
    expect(lease?.isHeld()).toBe(false);
  });

  it('are renewed again after a renewal that failed', async () => {
    const { leases, renewals, errors, setAway } = setUp();
    await leases.take(A, 'token');
    setAway(true);
    await eventually('a renewal fails', () => errors.length > 0);
    setAway(false);
    const before = renewals.length;
    await eventually('it is renewed again', () => renewals.length > before);
  });

  it('that were taken anew are not those of before: neither held by them, nor lost with them', async () => {
    const { leases, renewals, hang, refuse } = setUp();
    const before = await leases.take(A, 'token');
    const answerOld = hang();
    await eventually('it is renewed', () => renewals.length === 2);
    leases.giveBack(A);
    const answerNew = hang();
    const taking = leases.take(A, 'another token');
    answerNew();
    const anew = await taking;
    refuse('a');
    answerOld();
    await new Promise((resolve) => setImmediate(resolve));
    expect([before?.isHeld(), anew?.isHeld(), leases.size]).toEqual([false, true, 1]);
  });

  it('are renewed every second, one time after the other, and not any more once they are closed', async () => {
    jest.useFakeTimers();
    try {
      const { leases, renewals, hang } = setUp();
      await leases.take(A, 'token');
      await jest.advanceTimersByTimeAsync(2_000);
      expect(renewals).toHaveLength(3);
      const answer = hang();
      await jest.advanceTimersByTimeAsync(5_000);
      expect(renewals).toHaveLength(4);
      answer();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(renewals).toHaveLength(5);
      leases.close();
      await jest.advanceTimersByTimeAsync(5_000);
      expect(renewals).toHaveLength(5);
    } finally {
      jest.useRealTimers();
    }
  });

  it('expire by our own clock also while a renewal waits for its answer', async () => {
    jest.useFakeTimers();
    try {
      const { leases, pass, hang } = setUp();
      let lost = 0;
      const lease = await leases.take(A, 'token');
      void lease?.expired.then(() => lost++);
      hang();
      await jest.advanceTimersByTimeAsync(1_000);
      pass(LEASE_MS);
      await jest.advanceTimersByTimeAsync(1_000);
      expect(lost).toBe(1);
    } finally {
      jest.useRealTimers();
    }
  });

  it('report that their renewal stands still while Redis does not answer it, and not while there are none', async () => {
    const { leases, renewals, pass, hang } = setUp();
    pass(60_000);
    await eventually('there is nothing to renew', () => leases.progress.standstill === undefined);
    await leases.take(A, 'token');
    const answer = hang();
    await eventually('one is renewed', () => renewals.length === 2);
    pass(42_000);
    expect(leases.progress.standstill).toBe('no progress for 42 s');
    answer();
    await eventually('it goes on', () => leases.progress.standstill === undefined);
  });

  it('are not taken where another replica has the assignment by now', async () => {
    const { leases, refuse } = setUp();
    refuse('a');
    expect(await leases.take(A, 'token')).toBeUndefined();
    expect(leases.size).toBe(0);
  });

  it('are renewed together', async () => {
    const { leases, renewals, pass } = setUp();
    const held = await Promise.all([A, B].map((id) => leases.take(id, 'token')));
    pass(2_000);
    await eventually('renewed', () => renewals.some((ids) => ids.length === 2));
    pass(2_000);
    expect(held.map((lease) => lease?.isHeld())).toEqual([true, true]);
  });

  it('expire at once when a renewal is refused, and say so once', async () => {
    const { leases, refuse } = setUp();
    const lost: string[] = [];
    const one = await leases.take(A, 'token');
    const other = await leases.take(B, 'token');
    void one?.expired.then(() => lost.push('a'));
    void other?.expired.then(() => lost.push('b'));
    refuse('a');
    await eventually('it is lost', () => lost.length > 0);
    expect(lost).toEqual(['a']);
    expect(one?.isHeld()).toBe(false);
    expect(leases.size).toBe(1);
  });

  it('expire by our own clock while Redis does not answer', async () => {
    const { leases, errors, pass, setAway } = setUp();
    let lost = 0;
    const lease = await leases.take(A, 'token');
    void lease?.expired.then(() => lost++);
    setAway(true);
    await eventually('a renewal fails', () => errors.length > 0);
    expect(lost).toBe(0);
    pass(LEASE_MS - 200);
    await eventually('it is lost', () => lost === 1);
  });

  it('do not expire once they are given back', async () => {
    const { leases, pass, setAway } = setUp();
    const lost: string[] = [];
    const lease = await leases.take(A, 'token');
    const other = await leases.take(B, 'token');
    void lease?.expired.then(() => lost.push('a'));
    void other?.expired.then(() => lost.push('b'));
    leases.giveBack(A);
    setAway(true);
    pass(LEASE_MS);
    await eventually('the other expires', () => lost.includes('b'));
    expect([lease?.isHeld(), lost, leases.size]).toEqual([false, ['b'], 0]);
  });
});
