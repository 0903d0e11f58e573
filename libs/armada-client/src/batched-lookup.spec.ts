import { jest } from '@jest/globals';
import { MonotonicTime } from '@ajs/job-state';
import { completesWithin } from '@ajs/platform';
import { eventually } from '@ajs/testing';
import { ArmadaJobsError, type Requester } from './armada-jobs.js';
import { BatchTooLargeError, BatchedLookup } from './batched-lookup.js';
import { CallGate } from './call-gate.js';

const AWAY = new ArmadaJobsError('unavailable', 'the database is down');

interface Call {
  readonly keys: readonly string[];
  /** Answers every key with itself in capitals, except those that begin with `no`. */
  answer(): void;
  fail(error: Error): void;
}

function setUp({ largestBatch = 500, mostWaiting = 10_000, atOnce = 1 } = {}) {
  let now = 0;
  const calls: Call[] = [];
  const gate = new CallGate(1_000, atOnce);
  const batched = new BatchedLookup<string, string>({
    call: (keys) =>
      new Promise((resolve, reject) => {
        const known = keys.filter((key) => !key.startsWith('no'));
        calls.push({
          keys,
          answer: () => resolve(new Map(known.map((key) => [key, key.toUpperCase()]))),
          fail: reject,
        });
      }),
    gate,
    maxBatchSize: largestBatch,
    maxWaiting: mostWaiting,
    now: () => MonotonicTime(now),
  });
  cleanups.push(() => gate.close());
  const call = (index: number): Promise<Call> => eventually(`call ${index}`, () => calls[index]);
  /** One requester, unless told otherwise. What is never answered fails the test, and does not hang it. */
  const lookup = {
    lookUp: async (keys: readonly string[], by: Partial<Requester> = {}) => {
      const found = batched.lookUp(keys, { key: 'somebody', isGone: () => false, ...by });
      if (!(await completesWithin(10_000, found))) throw new Error(`no answer for ${keys.join()}`);
      return found;
    },
  };
  return { lookup, gate, calls, call, pass: (ms: number) => (now += ms) };
}

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanUp) => cleanUp()));

const entries = (map: ReadonlyMap<string, string>): [string, string][] => [...map];

describe('lookups by key', () => {
  it('of the same moment share one call, and each gets its own keys', async () => {
    const { lookup, call, calls } = setUp();
    const results = [['a', 'b', 'a'], ['b', 'c'], ['none']].map((keys) => lookup.lookUp(keys));
    (await call(0)).answer();
    expect((await Promise.all(results)).map(entries)).toEqual([
      [
        ['a', 'A'],
        ['b', 'B'],
      ],
      [
        ['b', 'B'],
        ['c', 'C'],
      ],
      [],
    ]);
    expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b', 'c', 'none']]);
  });

  it('of the same moment wait for their turn as one', async () => {
    const { lookup, call, gate } = setUp();
    const entered = jest.spyOn(gate, 'enter');
    const results = [['a'], ['b'], ['c']].map((keys) => lookup.lookUp(keys));
    (await call(0)).answer();
    await Promise.all(results);
    expect(entered).toHaveBeenCalledTimes(1);
  });

  it('of no key make no call', async () => {
    const { lookup, calls } = setUp();
    expect(entries(await lookup.lookUp([]))).toEqual([]);
    expect(calls).toEqual([]);
  });

  it('of a key in flight share its value; other keys gather for the next call', async () => {
    const { lookup, call, calls } = setUp();
    const first = lookup.lookUp(['a']);
    await call(0);
    const later = [lookup.lookUp(['a', 'b']), lookup.lookUp(['c', 'b', 'a'], { key: 'another' })];
    (await call(0)).answer();
    expect(entries(await first)).toEqual([['a', 'A']]);
    (await call(1)).answer();
    await Promise.all(later);
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']]);
  });

  it('of a key that has its value make a new call', async () => {
    const { lookup, call } = setUp();
    for (let i = 0; i < 2; i++) {
      const result = lookup.lookUp(['a']);
      (await call(i)).answer();
      expect(entries(await result)).toEqual([['a', 'A']]);
    }
  });

  it('are split into calls of a bounded size', async () => {
    const { lookup, call, calls } = setUp({ largestBatch: 2 });
    const result = lookup.lookUp(['a', 'b', 'c', 'd', 'e']);
    for (let i = 0; i < 3; i++) (await call(i)).answer();
    expect((await result).size).toBe(5);
    expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('are repeated in smaller calls where there were too many, and stay smaller', async () => {
    const { lookup, call, calls } = setUp();
    const result = lookup.lookUp(['a', 'b', 'c']);
    (await call(0)).fail(new BatchTooLargeError(2));
    for (let i = 1; i < 3; i++) (await call(i)).answer();
    expect((await result).size).toBe(3);
    const later = lookup.lookUp(['d', 'e', 'f']);
    for (let i = 3; i < 5; i++) (await call(i)).answer();
    await later;
    expect(calls.map(({ keys }) => keys.length)).toEqual([3, 2, 1, 2, 1]);
  });

  it('go in calls of the smallest size that was ever too large, whichever of two that were sent failed last', async () => {
    const { lookup, call, calls } = setUp({ atOnce: 2 });
    const results = [lookup.lookUp(['a', 'b', 'c'])];
    const small = await call(0);
    results.push(lookup.lookUp(['d', 'e', 'f', 'g', 'h']));
    const large = await call(1);
    small.fail(new BatchTooLargeError(2));
    large.fail(new BatchTooLargeError(4));
    for (let i = 2; i < 6; i++) (await call(i)).answer();
    expect((await Promise.all(results)).map(({ size }) => size)).toEqual([3, 5]);
    expect(Math.max(...calls.slice(2).map(({ keys }) => keys.length))).toBe(2);
  });

  it('beyond the limit of waiting keys are refused at once, and the others succeed', async () => {
    const { lookup, call } = setUp({ mostWaiting: 3 });
    // However often a lookup names a key, it waits once.
    const result = lookup.lookUp(['a', 'b', 'c', 'a']);
    const refused = expect(lookup.lookUp(['d'])).rejects.toMatchObject({
      kind: 'unavailable',
      reason: 'too many lookups are waiting for Armada (at most 3 wait, of all callers together)',
    });
    const shared = lookup.lookUp(['b']);
    (await call(0)).answer();
    await refused;
    expect((await result).size).toBe(3);
    expect(entries(await shared)).toEqual([['b', 'B']]);
  });
});

describe('requesters', () => {
  const by = (key: string) => ({ key });

  it('take turns where there are more keys than one call takes', async () => {
    const { lookup, call, calls } = setUp({ largestBatch: 2 });
    const flood = lookup.lookUp(
      Array.from({ length: 100 }, (_, i) => `a${i}`),
      by('flood'),
    );
    await call(0);
    const served = lookup.lookUp(['b0', 'b1'], by('another'));
    for (let i = 0; i < 3; i++) (await call(i)).answer();
    expect(entries(await served)).toEqual([
      ['b0', 'B0'],
      ['b1', 'B1'],
    ]);
    expect(calls.slice(0, 3).map(({ keys }) => keys)).toEqual([
      ['a0', 'a1'],
      ['a2', 'b0'],
      ['a3', 'b1'],
    ]);
    for (let i = 3; i < 51; i++) (await call(i)).answer();
    expect((await flood).size).toBe(100);
  });

  it('get a key in the first turn of all that want it, and it is asked once', async () => {
    const { lookup, call, calls } = setUp({ largestBatch: 2 });
    const flood = lookup.lookUp(['a0', 'a1', 'a2', 'a3', 'a4', 'a5'], by('flood'));
    await call(0);
    const served = lookup.lookUp(['a5'], by('another'));
    for (let i = 0; i < 3; i++) (await call(i)).answer();
    expect(entries(await served)).toEqual([['a5', 'A5']]);
    expect((await flood).size).toBe(6);
    expect(calls.map(({ keys }) => keys)).toEqual([
      ['a0', 'a1'],
      ['a2', 'a5'],
      ['a3', 'a4'],
    ]);
  });

  it('get a key that is in flight for another, though their own turn for it comes then', async () => {
    const { lookup, call, calls } = setUp({ largestBatch: 1, atOnce: 3 });
    const both = [lookup.lookUp(['a', 'b'], by('one')), lookup.lookUp(['a'], by('another'))];
    for (let i = 0; i < 2; i++) await call(i);
    for (const each of calls) each.answer();
    expect((await Promise.all(both)).map(({ size }) => size)).toEqual([2, 1]);
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
  });

  it('leave room for others, with an error that their share is used up', async () => {
    const { lookup, call } = setUp({ mostWaiting: 8 });
    const held = lookup.lookUp(['a0', 'a1', 'a2', 'a3', 'a4', 'a5'], by('flood'));
    await expect(lookup.lookUp(['a6'], by('flood'))).rejects.toMatchObject({
      kind: 'unavailable',
      reason: 'too many lookups of yours are waiting for Armada (at most 8 wait, of all callers together)',
    });
    const served = lookup.lookUp(['b0'], by('another'));
    (await call(0)).answer();
    expect((await served).size).toBe(1);
    expect((await held).size).toBe(6);
    // All of it was given back.
    const again = lookup.lookUp(['c0', 'c1', 'c2', 'c3', 'c4', 'c5'], by('flood'));
    (await call(1)).answer();
    expect((await again).size).toBe(6);
  });

  it('that have gone before their turn are taken out, unless another waits for the same key', async () => {
    const { lookup, call, calls } = setUp();
    const first = lookup.lookUp(['a'], by('first'));
    await call(0);
    let isGone = false;
    const gone = expect(
      lookup.lookUp(['b', 'c'], { key: 'gone', isGone: () => isGone }),
    ).rejects.toMatchObject({ reason: 'the caller cancelled the call' });
    const stays = lookup.lookUp(['c'], by('another'));
    isGone = true;
    (await call(0)).answer();
    (await call(1)).answer();
    await gone;
    expect(entries(await stays)).toEqual([['c', 'C']]);
    await first;
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['c']]);
  });

  it('get what another call of the same caller has given up', async () => {
    const { lookup, call } = setUp();
    const first = lookup.lookUp(['a']);
    await call(0);
    lookup.lookUp(['b'], { isGone: () => true }).catch(() => undefined);
    const stays = lookup.lookUp(['b']);
    (await call(0)).answer();
    await first;
    (await call(1)).answer();
    expect(entries(await stays)).toEqual([['b', 'B']]);
  });
});

describe('an Armada that does not respond', () => {
  it('fails lookups in flight, waiting ones, and those of the next second, all with the same reason', async () => {
    const { lookup, call, calls, gate, pass } = setUp();
    const entered = jest.spyOn(gate, 'enter');
    const result = lookup.lookUp(['a']);
    const first = await call(0);
    const waited = lookup.lookUp(['b']);
    first.fail(AWAY);
    await expect(result).rejects.toBe(AWAY);
    await expect(waited).rejects.toBe(AWAY);
    pass(999);
    await expect(lookup.lookUp(['c'])).rejects.toBe(AWAY);
    pass(1);
    const later = lookup.lookUp(['a']);
    (await call(1)).answer();
    expect(entries(await later)).toEqual([['a', 'A']]);
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['a']]);
    // For these two: what was rejected is not tried again.
    expect(entered).toHaveBeenCalledTimes(2);
  });

  it('leaves each caller its whole share of the lookups after that', async () => {
    const { lookup, call, pass } = setUp({ mostWaiting: 4 });
    for (let round = 0; round < 3; round++) {
      const sent = lookup.lookUp(['a']);
      const first = await call(round);
      const waiting = lookup.lookUp(['b', 'c', 'd']);
      first.fail(AWAY);
      await expect(sent).rejects.toBe(AWAY);
      await expect(waiting).rejects.toBe(AWAY);
      pass(1_000);
    }
  });

  it.each(['refused', 'unsupported'] as const)('but answers "%s" is called again', async (kind) => {
    const { lookup, call } = setUp();
    const result = lookup.lookUp(['a']);
    const first = await call(0);
    const waited = lookup.lookUp(['b']);
    first.fail(new ArmadaJobsError(kind, 'no'));
    await expect(result).rejects.toMatchObject({ kind });
    (await call(1)).answer();
    expect(entries(await waited)).toEqual([['b', 'B']]);
  });

  it('is reported as unavailable, whatever went wrong', async () => {
    const { lookup, call } = setUp();
    const result = lookup.lookUp(['a']);
    (await call(0)).fail(new Error('the wire is cut'));
    await expect(result).rejects.toMatchObject({
      kind: 'unavailable',
      reason: expect.stringContaining('the wire is cut') as string,
    });
  });

  it('is not waited for by a process that shuts down', async () => {
    const { lookup, call, gate } = setUp();
    const result = lookup.lookUp(['a']);
    const first = await call(0);
    const waited = lookup.lookUp(['b']);
    gate.close();
    await expect(waited).rejects.toMatchObject({
      kind: 'unavailable',
      reason: 'this process is shutting down',
    });
    first.answer();
    expect(entries(await result)).toEqual([['a', 'A']]);
  });
});
