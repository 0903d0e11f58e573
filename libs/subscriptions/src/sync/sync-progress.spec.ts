import { MonotonicTime, RedisTime, addMs, msBetween } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { aMessage } from '../testing/scripted-source.js';
import { SyncProgress } from './sync-progress.js';

const WRITTEN_AT = 1_700_000_000_000;

/** How long before now a live event of this age proves the job set to be synced, after a write that took so long. */
function provenAgoMs({ ageMs, writeMs }: { ageMs: number; writeMs: number }): number {
  const progress = new SyncProgress();
  const now = monotonicNow();
  progress.markSynced(addMs(now, -60_000));
  progress.commit(progress.claim(0, false), addMs(now, -writeMs), RedisTime(WRITTEN_AT));
  progress.accept(aMessage(WRITTEN_AT - ageMs));
  return msBetween(progress.claim(1, true).syncedAt ?? MonotonicTime(-Infinity), now);
}

describe('as of when a job set is synced', () => {
  it('is the time of a live event, by Redis’ clock', () => {
    expect(provenAgoMs({ ageMs: 30_000, writeMs: 0 })).toBeCloseTo(30_000, 1);
  });

  it('is never later than that: a slow write may have been taken by Redis at its begin or at its end', () => {
    expect(provenAgoMs({ ageMs: 30_000, writeMs: 5_000 })).toBeCloseTo(35_000, 1);
  });

  it('is the arrival of an event from the future: Armada’s clock is ahead of Redis’', () => {
    const agoMs = provenAgoMs({ ageMs: -30_000, writeMs: 0 });
    expect(agoMs).toBeLessThanOrEqual(0);
    expect(agoMs).toBeGreaterThan(-20_000);
  });

  it('is the later one of a live event and of a read that ended before it, where one write has both', () => {
    const progress = new SyncProgress();
    const now = monotonicNow();
    progress.markSynced(addMs(now, -60_000));
    progress.commit(progress.claim(0, false), now, RedisTime(WRITTEN_AT));
    progress.markSynced(addMs(now, -50_000));
    progress.accept(aMessage(WRITTEN_AT - 30_000));
    const { syncedAt = MonotonicTime(-Infinity) } = progress.claim(1, true);
    expect(msBetween(syncedAt, now)).toBeCloseTo(30_000, 1);
  });

  it('is not known from a live event alone: others may have been missed before it', () => {
    const progress = new SyncProgress();
    progress.commit(progress.claim(0, false), monotonicNow(), RedisTime(WRITTEN_AT));
    progress.accept(aMessage(WRITTEN_AT));
    expect(progress.claim(1, true).syncedAt).toBeUndefined();
    expect(progress.isSynced).toBe(false);
  });
});
