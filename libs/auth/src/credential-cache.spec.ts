import { ManualClock } from '@ajs/testing';
import { CredentialCache } from './credential-cache.js';

let clock: ManualClock;
const MINUTE = 60_000;

describe('what was found out about callers', () => {
  let kept: CredentialCache<string>;
  beforeEach(() => {
    clock = new ManualClock();
    kept = new CredentialCache<string>(clock, 3, 2);
  });

  it('is kept for its time', () => {
    kept.set('a', 'yes', 'good', 100);
    clock.advance(99);
    expect(kept.get('a')).toBe('yes');
    clock.advance(1);
    expect(kept.get('a')).toBeUndefined();
  });

  it('is replaced by what is found out later, be it good or bad', () => {
    kept.set('a', 'yes', 'good', MINUTE);
    kept.set('a', 'no', 'bad', MINUTE);
    expect(kept.get('a')).toBe('no');
    expect(kept.wasGood('a')).toBe(false);
    kept.set('a', 'yes', 'good', MINUTE);
    expect(kept.get('a')).toBe('yes');
  });

  it('is of the last so many; bad findings push no good one out', () => {
    for (const name of ['a', 'b', 'c']) kept.set(name, 'yes', 'good', MINUTE);
    for (let i = 0; i < 100; i++) kept.set(`bad ${i}`, 'no', 'bad', MINUTE);
    expect(['a', 'b', 'c'].map((name) => kept.get(name))).toEqual(['yes', 'yes', 'yes']);
    expect([97, 98, 99].map((i) => kept.get(`bad ${i}`))).toEqual([undefined, 'no', 'no']);
    kept.set('d', 'yes', 'good', MINUTE);
    expect(kept.get('a')).toBeUndefined();
  });

  it('is remembered as good after its time, for whoever comes again', () => {
    kept.set('a', 'yes', 'good', 100);
    clock.advance(MINUTE);
    expect(kept.wasGood('a')).toBe(true);
    expect(kept.wasGood('b')).toBe(false);
  });
});
