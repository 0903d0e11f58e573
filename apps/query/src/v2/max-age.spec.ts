import { Cursor, RedisTime, addMs, type MonotonicTime } from '@ajs/job-state';
import type { JobSetDetails, SubscriptionView } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { testCaller } from '../testing/test-caller.js';
import { isFresh, msUntilTooLate } from './max-age.js';

const NOW = RedisTime(1_795_493_148_000);
const MAX_AGE_MS = 5_000;

const viewWith = (subscription?: Partial<SubscriptionView>): JobSetDetails => ({
  now: NOW,
  cursor: Cursor(''),
  jobs: new Map(),
  unchanged: new Set(),
  unreadable: new Map(),
  ...(subscription && { subscription: { state: 'live', reason: '', ...subscription } }),
});
const syncedAgo = (ms: number): JobSetDetails => viewWith({ syncedAt: addMs(NOW, -ms) });

describe('a job set is fresh', () => {
  it.each<[string, JobSetDetails, number | undefined, boolean]>([
    ['where any age will do', viewWith(), undefined, true],
    ['where it was synced as long ago as the caller allows', syncedAgo(MAX_AGE_MS), MAX_AGE_MS, true],
    ['but not where it was synced before', syncedAgo(MAX_AGE_MS + 1), MAX_AGE_MS, false],
    ['where it was synced when the call came, whatever the caller allows', syncedAgo(100), 0, true],
    ['but not where it was synced just before the call came', syncedAgo(101), 0, false],
    ['but not where it was never synced', viewWith({}), MAX_AGE_MS, false],
    ['but not where nobody follows it', viewWith(), MAX_AGE_MS, false],
  ])('%s', (_, view, maxAgeMs, expected) => {
    expect(isFresh(view, addMs(NOW, -100), maxAgeMs)).toBe(expected);
  });
});

describe('a job set that is to be read anew', () => {
  const left = (view: JobSetDetails, { beganAgo = 0, deadline = Infinity } = {}): number => {
    const now = monotonicNow();
    const caller = testCaller({ deadline: addMs(now, deadline) });
    const beganAt: MonotonicTime = addMs(now, -beganAgo);
    return msUntilTooLate(view, beganAt, {
      key: { queue: 'q', jobSetId: 's' },
      caller,
      maxAgeMs: MAX_AGE_MS,
    });
  };

  it('has 30 s from the begin of the call, and no more than its caller has', () => {
    const view = viewWith({});
    expect(Math.ceil(left(view) / 1_000)).toBe(30);
    expect(left(view, { beganAgo: 20_000 })).toBeLessThanOrEqual(10_000);
    expect(left(view, { deadline: 10_000 })).toBeLessThan(10_000);
  });

  it.each<[string, JobSetDetails, { beganAgo?: number; deadline?: number }, string]>([
    ['its time is over', viewWith({}), { beganAgo: 30_000 }, 'no read has ended yet'],
    ['its caller has no time left', viewWith({}), { deadline: 0 }, 'no read has ended yet'],
    ['Armada denies it', viewWith({ state: 'denied', reason: 'no permission' }), {}, 'no permission'],
    ['its queue is gone', viewWith({ state: 'gone', reason: 'the queue was deleted' }), {}, 'deleted'],
  ])('is too late where %s, and the error says why', (_, view, when, why) => {
    expect(() => left(view, when)).toThrow(
      expect.objectContaining({
        code: status.UNAVAILABLE,
        reason: 'NOT_SYNCED_IN_TIME',
        details: expect.stringContaining(why) as string,
      }) as Error,
    );
  });
});
