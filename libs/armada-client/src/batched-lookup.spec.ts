import { eventually } from '@ajs/testing';
import { ArmadaJobsError } from './armada-jobs.js';
import { FAIL_FAST_MS, BatchTooLargeError, BatchedLookup } from './batched-lookup.js';
import { CallGate } from './call-gate.js';

const AWAY = new ArmadaJobsError('unavailable', 'the database is away');

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
  const lookup = new BatchedLookup<string>({
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
    now: () => now,
  });
  cleanups.push(() => gate.close());
  const call = (index: number): Promise<Call> => eventually(`call ${index}`, () => calls[index]);
  return { lookup, gate, calls, call, pass: (ms: number) => (now += ms) };
}

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanUp) => cleanUp()));

const entries = (map: ReadonlyMap<string, string>): [string, string][] => [...map];

describe('questions by key', () => {
  it('of one moment are one call, and each gets what it asked for', async () => {
    const { lookup, call, calls } = setUp();
    const asked = [['a', 'b', 'a'], ['b', 'c'], ['none']].map((keys) => lookup.lookUp(keys));
    (await call(0)).answer();
    expect((await Promise.all(asked)).map(entries)).toEqual([
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

  it('about no key are no call', async () => {
    const { lookup, calls } = setUp();
    expect(entries(await lookup.lookUp([]))).toEqual([]);
    expect(calls).toEqual([]);
  });

  it('about a key that is being asked share its answer; the others gather for the next call', async () => {
    const { lookup, call, calls } = setUp();
    const first = lookup.lookUp(['a']);
    await call(0);
    const later = [lookup.lookUp(['a', 'b']), lookup.lookUp(['c', 'b'])];
    (await call(0)).answer();
    expect(entries(await first)).toEqual([['a', 'A']]);
    (await call(1)).answer();
    await Promise.all(later);
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']]);
  });

  it('about a key that was answered are asked anew', async () => {
    const { lookup, call } = setUp();
    for (let i = 0; i < 2; i++) {
      const asked = lookup.lookUp(['a']);
      (await call(i)).answer();
      expect(entries(await asked)).toEqual([['a', 'A']]);
    }
  });

  it('are cut into calls of a bounded size', async () => {
    const { lookup, call, calls } = setUp({ largestBatch: 2 });
    const asked = lookup.lookUp(['a', 'b', 'c', 'd', 'e']);
    for (let i = 0; i < 3; i++) (await call(i)).answer();
    expect((await asked).size).toBe(5);
    expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('are asked again in smaller calls where they were too many, and so from then on', async () => {
    const { lookup, call, calls } = setUp();
    const asked = lookup.lookUp(['a', 'b', 'c']);
    (await call(0)).fail(new BatchTooLargeError(2));
    for (let i = 1; i < 3; i++) (await call(i)).answer();
    expect((await asked).size).toBe(3);
    const later = lookup.lookUp(['d', 'e', 'f']);
    for (let i = 3; i < 5; i++) (await call(i)).answer();
    await later;
    expect(calls.map(({ keys }) => keys.length)).toEqual([3, 2, 1, 2, 1]);
  });

  it('beyond the number that may wait are refused at once, and the others are answered', async () => {
    const { lookup, call } = setUp({ mostWaiting: 3 });
    const asked = lookup.lookUp(['a', 'b', 'c']);
    await expect(lookup.lookUp(['d'])).rejects.toMatchObject({
      kind: 'unavailable',
      reason: 'too many lookups are waiting for Armada: 3 of at most 3',
    });
    const shared = lookup.lookUp(['b']);
    (await call(0)).answer();
    expect((await asked).size).toBe(3);
    expect(entries(await shared)).toEqual([['b', 'B']]);
  });
});

describe('an Armada that does not answer', () => {
  it('fails what was asked and what waited, and for a second what comes, all for the same reason', async () => {
    const { lookup, call, calls, pass } = setUp();
    const asked = lookup.lookUp(['a']);
    const first = await call(0);
    const waited = lookup.lookUp(['b']);
    first.fail(AWAY);
    await expect(asked).rejects.toBe(AWAY);
    await expect(waited).rejects.toBe(AWAY);
    pass(FAIL_FAST_MS - 1);
    await expect(lookup.lookUp(['c'])).rejects.toBe(AWAY);
    pass(1);
    const later = lookup.lookUp(['a']);
    (await call(1)).answer();
    expect(entries(await later)).toEqual([['a', 'A']]);
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['a']]);
  });

  it.each(['refused', 'unsupported'] as const)('but says "%s" is asked again', async (kind) => {
    const { lookup, call } = setUp();
    const asked = lookup.lookUp(['a']);
    const first = await call(0);
    const waited = lookup.lookUp(['b']);
    first.fail(new ArmadaJobsError(kind, 'no'));
    await expect(asked).rejects.toMatchObject({ kind });
    (await call(1)).answer();
    expect(entries(await waited)).toEqual([['b', 'B']]);
  });

  it('is told of as unavailable, whatever went wrong', async () => {
    const { lookup, call } = setUp();
    const asked = lookup.lookUp(['a']);
    (await call(0)).fail(new Error('the wire is cut'));
    await expect(asked).rejects.toMatchObject({
      kind: 'unavailable',
      reason: expect.stringContaining('the wire is cut') as string,
    });
  });

  it('is not waited for by a process that stops', async () => {
    const { lookup, call, gate } = setUp();
    const asked = lookup.lookUp(['a']);
    const first = await call(0);
    const waited = lookup.lookUp(['b']);
    gate.close();
    await expect(waited).rejects.toMatchObject({
      kind: 'unavailable',
      reason: 'this process is shutting down',
    });
    first.answer();
    expect(entries(await asked)).toEqual([['a', 'A']]);
  });
});
