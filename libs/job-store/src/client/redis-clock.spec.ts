import { RedisTime, addMs, msBetween } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { RedisClock } from './redis-clock.js';

const HOUR = 3_600_000;
const NOW = RedisTime(1_800_000_000_000);

describe("Redis' clock", () => {
  it('never gives a moment that is too late, however late a reply comes', () => {
    const sentAt = addMs(monotonicNow(), -HOUR);
    const clock = new RedisClock(NOW, sentAt);
    // The command may have been run at once: an hour ago.
    expect(msBetween(clock.at(sentAt), NOW)).toBeGreaterThanOrEqual(HOUR);
  });

  it('goes by the reply that came fastest', () => {
    const clock = new RedisClock(NOW, monotonicNow());
    const moment = monotonicNow();
    const before = clock.at(moment);
    clock.synchronize(addMs(NOW, -5_000), addMs(moment, -10_000));
    expect(clock.at(moment)).toBe(before);
  });

  it('is followed where it was set back', () => {
    const clock = new RedisClock(NOW, monotonicNow());
    const setBack = addMs(NOW, -HOUR);
    clock.synchronize(setBack, monotonicNow());
    expect(msBetween(setBack, clock.at(monotonicNow()))).toBeLessThan(HOUR / 2);
  });
});
