import { ArmadaTime, RedisTime } from '@ajs/job-state';
import { optionalTimestamp, toArmadaTime, toTimestamp } from './timestamps.js';

describe('a moment of Armada', () => {
  it('is read to the millisecond, and written as it was read', () => {
    const timestamp = { seconds: '1785500000', nanos: 120_999_999 };
    expect(toArmadaTime(timestamp)).toBe(ArmadaTime(1_785_500_000_120));
    expect(toTimestamp(ArmadaTime(1_785_500_000_999))).toEqual({ seconds: '1785500000', nanos: 999_000_000 });
  });

  it.each([
    ['the first', { seconds: '0', nanos: 1_000_000 }, 1],
    ['none before it', { seconds: '0', nanos: 999_999 }, undefined],
    ['none before the epoch', { seconds: '-1', nanos: 0 }, undefined],
    ['the last', { seconds: '99999999999', nanos: 999_999_999 }, 99_999_999_999_999],
    ['none after it', { seconds: '100000000000', nanos: 0 }, undefined],
  ])('is one that a clock shows: %s', (_, timestamp, ms) => {
    expect(toArmadaTime(timestamp)).toBe(ms);
  });

  it('is left out where there is none', () => {
    expect([toArmadaTime(undefined), optionalTimestamp(undefined)]).toEqual([undefined, undefined]);
    expect(optionalTimestamp(RedisTime(0))).toEqual({ seconds: '0', nanos: 0 });
  });
});
