import { MonotonicTime } from '@ajs/job-state';
import { TokenBucket } from './token-bucket.js';

let now: number;
beforeEach(() => (now = 0));

const bucketOf = (rate: { perSecond: number; burst: number }, initially?: number): TokenBucket =>
  new TokenBucket(
    () => rate,
    () => MonotonicTime(now),
    initially,
  );

const takenOf = (bucket: TokenBucket, times: number): number =>
  Array.from({ length: times }, () => bucket.take()).filter(Boolean).length;

describe('a token bucket', () => {
  it('gives its burst at once, then tokens at its rate', () => {
    const bucket = bucketOf({ perSecond: 4, burst: 3 });
    expect(takenOf(bucket, 10)).toBe(3);
    now += 249;
    expect(bucket.take()).toBe(false);
    now += 1;
    expect(takenOf(bucket, 10)).toBe(1);
    now += 500;
    expect(takenOf(bucket, 10)).toBe(2);
  });

  it('saves up no more than its burst', () => {
    const bucket = bucketOf({ perSecond: 4, burst: 3 });
    now += 3_600_000;
    expect(takenOf(bucket, 10)).toBe(3);
  });

  it('can begin empty', () => {
    const bucket = bucketOf({ perSecond: 4, burst: 3 }, 0);
    expect(bucket.take()).toBe(false);
    now += 250;
    expect(bucket.take()).toBe(true);
  });

  it('keeps a reserve from those that ask for more than one token', () => {
    const bucket = bucketOf({ perSecond: 1, burst: 3 });
    expect(bucket.take(3)).toBe(true);
    expect(bucket.take(3)).toBe(false);
    expect(bucket.take()).toBe(true);
  });

  it('loses no part of a token to attempts that fail', () => {
    const bucket = bucketOf({ perSecond: 1, burst: 1 }, 0);
    for (let i = 0; i < 8; i++) {
      expect(bucket.take()).toBe(false);
      now += 125;
    }
    expect(bucket.take()).toBe(true);
  });

  it('says when a token will be there', () => {
    const bucket = bucketOf({ perSecond: 3, burst: 3 }, 0);
    expect(bucket.msUntil()).toBe(334);
    now += 333;
    expect(bucket.take()).toBe(false);
    expect(bucket.msUntil()).toBe(1);
    now += 1;
    expect(bucket.msUntil()).toBe(0);
    expect(bucket.take()).toBe(true);
    expect(bucketOf({ perSecond: 2, burst: 4 }, 1).msUntil(3)).toBe(1_000);
  });

  it('takes back a token, but never more than its burst', () => {
    const bucket = bucketOf({ perSecond: 1, burst: 2 });
    expect(takenOf(bucket, 2)).toBe(2);
    bucket.giveBack();
    expect(takenOf(bucket, 2)).toBe(1);
    for (let i = 0; i < 5; i++) bucket.giveBack();
    expect(takenOf(bucket, 5)).toBe(2);
  });

  it('follows a rate that changes', () => {
    const rate = { perSecond: 1, burst: 1 };
    const bucket = bucketOf(rate, 0);
    Object.assign(rate, { perSecond: 10, burst: 5 });
    now += 1_000;
    expect(takenOf(bucket, 10)).toBe(5);
    now += 400;
    Object.assign(rate, { perSecond: 10, burst: 2 });
    expect(takenOf(bucket, 10)).toBe(2);
  });
});
