import { throttledLog } from './throttled-log.js';

describe('what goes on', () => {
  it('is told at once, then once a minute, each thing for itself', () => {
    let now = 5;
    const tell = throttledLog(() => now);
    expect(['a', 'a', 'b', 'a', 'b'].map(tell)).toEqual([true, false, true, false, false]);
    now += 59_999;
    expect(tell('a')).toBe(false);
    now += 1;
    expect(['a', 'a', 'b'].map(tell)).toEqual([true, false, true]);
  });

  it('is forgotten rather than remembered without an end', () => {
    const tell = throttledLog(() => 0);
    for (let i = 0; i < 100; i++) tell(`${i}`);
    expect(tell('99')).toBe(false);
    expect(tell('one more')).toBe(true);
    expect(tell('99')).toBe(true);
  });
});
