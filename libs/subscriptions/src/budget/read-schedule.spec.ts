import fc from 'fast-check';
import { COLD, HOTTEST, WARM } from './heat.js';
import { ReadSchedule } from './read-schedule.js';

function schedule(perSecond: number, now: () => number = () => 0): ReadSchedule {
  return new ReadSchedule({ minIntervalMs: 2_000, maxIntervalMs: 60_000, perSecond: () => perSecond, now });
}

describe('the next read of a job set', () => {
  it.each([
    ['soon, where an event or a poll came a moment ago', 0, 2_000],
    ['later, the longer there was nothing', 100_000, 25_000],
    ['as late as it may be, where there was nothing for long', Infinity, 60_000],
  ])('is %s', (_, quietMs, inMs) => {
    const wait = schedule(1_000).next(quietMs, COLD);
    expect(wait).toBeGreaterThanOrEqual(inMs);
    expect(wait).toBeLessThan(inMs + 1_000);
  });

  it('comes within about 100 s for 20,000 quiet job sets at 200 reads a second', () => {
    const one = schedule(200);
    const waits = Array.from({ length: 20_000 }, () => one.next(0, COLD));
    expect(Math.max(...waits)).toBeLessThan(125_000);
  });

  it('has a place for a hot job set where colder ones have filled theirs', () => {
    const one = schedule(100);
    for (let n = 0; n < 1_000; n++) one.next(0, COLD);
    expect(one.next(0, COLD)).toBeGreaterThan(10_000);
    expect(one.next(0, HOTTEST)).toBeLessThan(4_000);
  });

  it('is in the next second where this one has as many reads of cold job sets as it may', () => {
    const one = schedule(10);
    const seconds = Array.from({ length: 17 }, () => Math.floor(one.reserve(0, COLD) / 1_000));
    expect(seconds).toEqual([...Array<number>(8).fill(0), ...Array<number>(8).fill(1), 2]);
  });

  it('is spread over its second with the others of that', () => {
    const one = schedule(10);
    const waits = Array.from({ length: 8 }, () => one.reserve(0, COLD));
    expect(waits).toEqual([0, 125, 250, 375, 500, 625, 750, 875]);
  });

  it('is never sooner than wanted, and no second has more reads than may be made', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.tuple(fc.nat(20_000), fc.nat(3_000), fc.constantFrom(COLD, WARM, HOTTEST))),
        (perSecond, wishes) => {
          let now = 0;
          const one = schedule(perSecond, () => now);
          const planned = new Map<number, number>();
          for (const [waitMs, passed, heat] of wishes) {
            now += passed;
            const wait = one.reserve(waitMs, heat);
            expect(wait).toBeGreaterThanOrEqual(waitMs);
            const second = Math.floor((now + wait) / 1_000);
            planned.set(second, (planned.get(second) ?? 0) + 1);
          }
          expect(Math.max(0, ...planned.values())).toBeLessThanOrEqual(perSecond);
        },
      ),
    );
  });
});
