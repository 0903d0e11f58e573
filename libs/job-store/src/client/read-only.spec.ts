import { ManualClock } from '@ajs/testing';
import { replaceReadOnly } from './read-only.js';

const READ_ONLY = new Error("READONLY You can't write against a read only replica.");

describe('a connection to a server that is read-only', () => {
  it('is replaced at once, and ever more rarely while that leads to a read-only server again', () => {
    const clock = new ManualClock();
    const replace = replaceReadOnly('resend', () => clock.monotonic());
    const replacedAt: number[] = [];
    for (let second = 0; second < 200; second += 0.5) {
      if (replace(READ_ONLY) !== false) replacedAt.push(second);
      clock.advance(500);
    }
    expect(replacedAt).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183]);
  });

  it('is replaced at once again where the trouble before it is long over', () => {
    const clock = new ManualClock();
    const replace = replaceReadOnly('resend', () => clock.monotonic());
    for (const ms of [1_000, 2_000, 4_000]) {
      expect(replace(READ_ONLY)).toBe(2);
      clock.advance(ms);
    }
    expect(replace(READ_ONLY)).toBe(2);
    clock.advance(120_001);
    expect(replace(READ_ONLY)).toBe(2);
    clock.advance(1_000);
    expect(replace(READ_ONLY)).toBe(2);
  });

  it('has the command sent again, or rejected where none may wait', () => {
    expect(replaceReadOnly('resend')(READ_ONLY)).toBe(2);
    expect(replaceReadOnly('reject')(READ_ONLY)).toBe(1);
  });

  it('is kept for any other error', () => {
    const replace = replaceReadOnly('resend');
    expect(replace(new Error('OOM command not allowed'))).toBe(false);
    expect(replace(READ_ONLY)).toBe(2);
  });
});
