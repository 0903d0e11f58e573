import { REDIS_KINDS } from './chaos-redis.js';
import { ALL_FAULTS, LOSE_WRITES, isPossible, planOf } from './plan.js';

const MINUTE = 60_000;

describe('a plan', () => {
  it('is the same for the same seed and differs for another', () => {
    const plan = (seed: number): string => JSON.stringify(planOf({ seed, lastsMs: MINUTE }), withoutTimes);
    expect(plan(3)).toBe(plan(3));
    expect(plan(3)).not.toBe(plan(4));
  });

  it('contains every fault if it is long enough', () => {
    const planned = REDIS_KINDS.flatMap((redis) => {
      const { faults } = planOf({ seed: 1, lastsMs: 30 * MINUTE, redis });
      expect(faults.every(({ name }) => isPossible(name, redis))).toBe(true);
      return faults.map(({ name }) => name);
    });
    expect(new Set(planned)).toEqual(new Set(ALL_FAULTS));
  });

  it('ends every job in time, and never has two faults of one part at once', () => {
    const plan = planOf({ seed: 5, lastsMs: MINUTE });
    expect(plan.steps.every(({ at }) => at <= plan.lasts)).toBe(true);
    for (const part of ['ingester', 'query', 'redis', 'armada']) {
      const ofPart = plan.faults.filter(({ name }) => name.startsWith(part));
      ofPart.forEach(({ at, lasts }, i) => expect(at + lasts).toBeLessThan(ofPart[i + 1]?.at ?? Infinity));
    }
  });

  it('lets Redis lose writes only in its first part', () => {
    for (const seed of [1, 2, 3]) {
      const { faults } = planOf({ seed, lastsMs: MINUTE });
      const losses = faults.filter(({ name }) => LOSE_WRITES.has(name));
      expect(losses.length).toBeGreaterThan(0);
      expect(losses.every(({ at, lasts }) => at + lasts <= MINUTE * 0.6)).toBe(true);
    }
  });

  it('contains only the requested faults', () => {
    const { faults } = planOf({ seed: 1, lastsMs: MINUTE, faults: ['redis older'] });
    expect(new Set(faults.map(({ name }) => name))).toEqual(new Set(['redis older']));
  });
});

/** Events carry the time at which they were made. */
function withoutTimes(name: string, value: unknown): unknown {
  return name === 'created' ? undefined : value;
}
