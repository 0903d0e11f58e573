import { Cursor, MonotonicTime } from '@ajs/job-state';
import type { StreamEnd } from './event-source.js';
import { REFLECTOR_TIMING } from './reflector-timing.js';
import { StreamFailures } from './stream-failures.js';

const [A, B] = [Cursor('1:0:0:1'), Cursor('2:0:0:1')];

function setUp() {
  const failures = new StreamFailures(REFLECTOR_TIMING);
  const classify = (kind: StreamEnd['kind'], seconds = 0) =>
    failures.classify({ kind, reason: '' }, MonotonicTime(seconds * 1_000), A);
  const wait = (kind: StreamEnd['kind']): number =>
    Math.max(...Array.from({ length: 10 }, () => classify(kind).retryInMs));
  return { failures, classify, wait };
}

describe('the stream failures of a job set', () => {
  it('are those of a connection, unless Armada refuses the queue', () => {
    const { classify } = setUp();
    expect(classify('retry').state).toBe('connecting');
    expect(classify('end').state).toBe('connecting');
    expect(classify('denied').state).toBe('denied');
  });

  it('say that the queue is gone once Armada has not known it for 15 s without a break', () => {
    const { failures, classify } = setUp();
    expect([0, 14.9, 15].map((seconds) => classify('gone', seconds).state)).toEqual([
      'connecting',
      'connecting',
      'gone',
    ]);
    classify('retry', 16);
    expect(classify('gone', 17).state).toBe('connecting');
    failures.synced();
    expect(classify('gone', 33).state).toBe('connecting');
    // A refusal says nothing of whether there is such a queue.
    classify('denied', 34);
    expect(classify('gone', 48).state).toBe('gone');
  });

  it('are counted until a read comes to its end', () => {
    const { failures, classify } = setUp();
    expect(failures.isOver).toBe(true);
    expect([classify('retry').inARow, classify('denied').inARow]).toEqual([1, 2]);
    expect(failures.isOver).toBe(false);
    failures.synced();
    expect([failures.isOver, classify('retry').inARow]).toEqual([true, 1]);
  });

  it('wait for longer where Armada refuses the queue, and for less again after a read', () => {
    const { failures, wait, classify } = setUp();
    expect(wait('retry')).toBeLessThanOrEqual(10_000);
    expect(wait('denied')).toBeGreaterThan(10_000);
    failures.synced();
    expect(classify('denied').retryInMs).toBeLessThanOrEqual(500);
  });

  it('wait for less again only after a watch that stayed open: one that fails at once is no success', () => {
    const { failures, wait, classify } = setUp();
    wait('retry');
    failures.synced();
    failures.watchedFor(1_000);
    expect(classify('retry').retryInMs).toBeGreaterThan(500);
    failures.watchedFor(10_001);
    expect(classify('retry').retryInMs).toBeLessThanOrEqual(500);
  });
});

describe('what cannot be read', () => {
  it('is skipped after three tries in the same place, whatever else failed between them', () => {
    const { failures, classify } = setUp();
    for (const kind of ['unreadable', 'retry', 'unreadable', 'denied'] as const) {
      classify(kind);
      expect(failures.skipsAfter(A)).toBe(false);
    }
    expect(classify('unreadable').state).toBe('connecting');
    expect(failures.skipsAfter(A)).toBe(true);
    // The stream still begins there, and brings it again.
    failures.synced();
    expect([failures.skipsAfter(A), failures.isOver]).toEqual([true, false]);
  });

  it('in another place is tried as often', () => {
    const { failures, classify } = setUp();
    for (let i = 0; i < 3; i++) classify('unreadable');
    failures.classify({ kind: 'unreadable', reason: '' }, MonotonicTime(0), B);
    expect(failures.skipsAfter(B)).toBe(false);
  });

  it('is forgotten once a stream begins after it', () => {
    const { failures, classify } = setUp();
    for (let i = 0; i < 3; i++) classify('unreadable');
    failures.synced();
    expect(failures.skipsAfter(B)).toBe(false);
    expect([failures.isOver, failures.skipsAfter(A)]).toEqual([true, false]);
  });

  it('is news once for each message, though each stream from there skips them again', () => {
    const { failures, classify } = setUp();
    for (let i = 0; i < 3; i++) classify('unreadable');
    expect([1, 2].map((nth) => failures.skipped(nth))).toEqual([true, true]);
    expect([1, 2, 3].map((nth) => failures.skipped(nth))).toEqual([false, false, true]);
  });
});
