import { ArmadaTime, MonotonicTime, RedisTime, addMs, earlierOf, laterOf, msBetween, toMs } from './index.js';

describe('moments of one clock', () => {
  it('are the milliseconds that they were made of', () => {
    expect(toMs(ArmadaTime(1_795_493_217_053))).toBe(1_795_493_217_053);
    expect(toMs(MonotonicTime(-Infinity))).toBe(-Infinity);
  });

  it('lie so many milliseconds apart', () => {
    expect(msBetween(RedisTime(5), RedisTime(12))).toBe(7);
    expect(msBetween(RedisTime(12), RedisTime(5))).toBe(-7);
    expect(addMs(RedisTime(5), 7)).toBe(RedisTime(12));
  });

  it('are compared by the operators', () => {
    expect(RedisTime(5) < RedisTime(12)).toBe(true);
    expect(laterOf(RedisTime(5), RedisTime(12))).toBe(RedisTime(12));
    expect(laterOf(RedisTime(12), RedisTime(5))).toBe(RedisTime(12));
    expect(earlierOf(RedisTime(5), RedisTime(12))).toBe(RedisTime(5));
    expect(earlierOf(RedisTime(12), RedisTime(5))).toBe(RedisTime(5));
  });
});

// Each line that should not compile is a test: the type check fails where it does.
it('moments of two clocks cannot be mixed', () => {
  const [own, redis, armada] = [MonotonicTime(1), RedisTime(2), ArmadaTime(3)];
  // @ts-expect-error One clock's moment is not another's.
  const mistaken: RedisTime = armada;
  // @ts-expect-error A number is no moment: whose clock it is by has to be said.
  const anonymous: MonotonicTime = 5;
  // @ts-expect-error A moment is no number: nobody can tell whose it was afterwards.
  const forgotten: number = own;
  // @ts-expect-error Moments of two clocks lie at no distance.
  msBetween(redis, armada);
  // @ts-expect-error Nor is there a later one of them.
  laterOf(own, redis);
  // @ts-expect-error They are not compared.
  expect(own < armada).toBe(true);
  // @ts-expect-error A difference is taken by msBetween, which looks at the clocks.
  expect(armada - redis).toBe(1);
  expect([mistaken, anonymous, forgotten]).toEqual([armada, MonotonicTime(5), 1]);
});
