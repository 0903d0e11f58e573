import { throttledLog } from './throttled-log.js';

describe('a recurring message', () => {
  it('is logged at once, then once per minute, independently of others', () => {
    let now = 5;
    const isToBeLogged = throttledLog(() => now);
    expect(['a', 'a', 'b', 'a', 'b'].map(isToBeLogged)).toEqual([true, false, true, false, false]);
    now += 59_999;
    expect(isToBeLogged('a')).toBe(false);
    now += 1;
    expect(['a', 'a', 'b'].map(isToBeLogged)).toEqual([true, false, true]);
  });

  it('is forgotten rather than kept without a limit', () => {
    const isToBeLogged = throttledLog(() => 0);
    for (let i = 0; i < 100; i++) isToBeLogged(`${i}`);
    expect(isToBeLogged('99')).toBe(false);
    expect(isToBeLogged('one more')).toBe(true);
    expect(isToBeLogged('99')).toBe(true);
  });
});
