import { ManualClock } from '@ajs/testing';
import { CredentialCache } from './credential-cache.js';

let clock: ManualClock;
const MINUTE = 60_000;

describe('results of checking callers', () => {
  let cache: CredentialCache<string>;
  beforeEach(() => {
    clock = new ManualClock();
    cache = new CredentialCache<string>(clock, 3, 2);
  });

  it('are cached until they expire', () => {
    cache.set('a', 'yes', 'good', 100);
    clock.advance(99);
    expect(cache.get('a')).toBe('yes');
    clock.advance(1);
    expect(cache.get('a')).toBeUndefined();
  });

  it('are replaced by later ones, good or bad', () => {
    cache.set('a', 'yes', 'good', MINUTE);
    cache.set('a', 'no', 'bad', MINUTE);
    expect(cache.get('a')).toBe('no');
    expect(cache.lastGood('a')).toBeUndefined();
    cache.set('a', 'yes', 'good', MINUTE);
    expect(cache.get('a')).toBe('yes');
  });

  it('evict the least recently used of their kind; bad ones evict no good one', () => {
    for (const name of ['a', 'b', 'c']) cache.set(name, 'yes', 'good', MINUTE);
    for (let i = 0; i < 100; i++) cache.set(`bad ${i}`, 'no', 'bad', MINUTE);
    expect(['a', 'b', 'c'].map((name) => cache.get(name))).toEqual(['yes', 'yes', 'yes']);
    expect([97, 98, 99].map((i) => cache.get(`bad ${i}`))).toEqual([undefined, 'no', 'no']);
    cache.set('d', 'yes', 'good', MINUTE);
    expect(cache.get('a')).toBeUndefined();
  });

  it('are still known to have been good after they expired', () => {
    cache.set('a', 'yes', 'good', 100);
    clock.advance(MINUTE);
    expect(cache.lastGood('a')).toBe('yes');
    expect(cache.lastGood('b')).toBeUndefined();
  });
});
