import { ArmadaTime, RedisTime, toMs } from '@ajs/job-state';
import { eventLagMs, eventLagReason, isAheadOfStream, syncedBefore } from './event-lag.js';

const at = ArmadaTime(1_000_000);

describe('the lag of events behind api.Jobs', () => {
  it.each([
    [7_999, 0],
    [8_000, 0],
    [8_001, 8_001],
    [-5, 0],
  ])('is counted where the stream was read %i ms after the state that it lacks: %i', (laterMs, lagMs) => {
    expect(eventLagMs(at, RedisTime(1_000_000 + laterMs))).toBe(lagMs);
  });

  it('is none where nothing is missing, or nothing was read', () => {
    expect(eventLagMs(undefined, RedisTime(1_000_000))).toBe(0);
    expect(eventLagMs(at, undefined)).toBe(0);
  });

  it.each([
    [3_599_999, true],
    [3_600_000, false],
    [-60_000, true],
  ])('is not of a state that is an hour old: %i ms, %s', (ageMs, isAhead) => {
    expect(isAheadOfStream(at, RedisTime(1_000_000 + ageMs))).toBe(isAhead);
  });

  it('takes back as of when the job set is synced, and never puts it forth', () => {
    expect(syncedBefore(at, RedisTime(1_000_001))).toBe(toMs(at));
    expect(syncedBefore(at, RedisTime(999_999))).toBe(999_999);
    expect(syncedBefore(undefined, RedisTime(1_000_001))).toBe(1_000_001);
    expect(syncedBefore(at, undefined)).toBeUndefined();
  });

  it('is reported in seconds', () => {
    expect(eventLagReason(40_499)).toBe("Armada's events lag behind its api.Jobs by 40 s");
  });
});
