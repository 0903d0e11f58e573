import { MonotonicTime } from '@ajs/job-state';
import { EventRate } from './event-rate.js';

/** The rate after these times of events, in seconds, looked at each second. */
function rateOf(events: readonly number[], untilSecond: number): number {
  const rate = new EventRate(undefined, MonotonicTime(0));
  for (let second = 1; second <= untilSecond; second++) {
    for (const at of events) if (at > second - 1 && at <= second) rate.count();
    rate.at(MonotonicTime(second * 1_000));
  }
  return rate.at(MonotonicTime(untilSecond * 1_000));
}

const every = (seconds: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => (n + 1) * seconds);

describe('the rate of events', () => {
  it('is 0 without any', () => expect(rateOf([], 60)).toBe(0));

  it('comes to what it is: a quarter within ten seconds, nearly all of it within a minute', () => {
    expect(rateOf(every(1, 10), 10)).toBeGreaterThan(15);
    expect(rateOf(every(1, 60), 60)).toBeGreaterThan(50);
    expect(rateOf(every(1, 600), 600)).toBeCloseTo(60, 0);
  });

  it('halves in twenty seconds when no more come', () => {
    expect(rateOf(every(1, 600), 620)).toBeCloseTo(30, 0);
    expect(rateOf(every(1, 600), 640)).toBeCloseTo(15, 0);
  });

  it('goes on from what was stored: reads that are far apart come to the same rate as a watch', () => {
    let stored = { eventsPerMinute: 0, agoMs: 2_000 };
    for (let read = 0; read < 100; read++) {
      const rate = new EventRate(stored, MonotonicTime(7));
      rate.count();
      rate.count();
      stored = { eventsPerMinute: rate.at(MonotonicTime(7)), agoMs: 2_000 };
    }
    expect(stored.eventsPerMinute).toBeCloseTo(60, 0);
  });

  it('is the same however often it is looked at, also twice at one moment', () => {
    const rate = new EventRate({ eventsPerMinute: 8, agoMs: 0 }, MonotonicTime(0));
    rate.count();
    expect(rate.at(MonotonicTime(0))).toBe(8);
    const once = rate.at(MonotonicTime(1));
    expect(once).toBeGreaterThan(8);
    expect(rate.at(MonotonicTime(1))).toBe(once);
  });
});
