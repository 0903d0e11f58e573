import { Backoff } from './backoff.js';

describe('backoff', () => {
  it('doubles from the first wait to the longest, and begins again when reset', () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });

  it('draws each wait from its upper half, so that many clients do not come back together', () => {
    expect(new Backoff(100, 1_000, () => 0).next()).toBe(50);
    expect(new Backoff(100, 1_000, () => 0.5).next()).toBe(75);
  });
});
