import { ManualClock } from '@ajs/testing';
import { createLog } from './log.js';
import { throttledLog, type ThrottledLog } from './throttled-log.js';

let clock: ManualClock;
let lines: {
  readonly level: string;
  readonly msg: string;
  readonly repeated?: number;
  readonly n?: number;
}[];
let report: ThrottledLog;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  const log = createLog('test', 'info', {
    write: (line) => lines.push(JSON.parse(line) as (typeof lines)[0]),
  });
  report = throttledLog(log, clock);
});

const told = () => lines.map(({ msg, repeated }) => (repeated === undefined ? msg : `${msg} x${repeated}`));

describe('a recurring message', () => {
  it('is logged at once and then counted, independently of others', () => {
    for (const text of ['a', 'a', 'b', 'a', 'b']) report('warn', {}, text);
    expect(told()).toEqual(['a', 'b']);
    clock.advance(59_999);
    expect(told()).toEqual(['a', 'b']);
    clock.advance(1);
    expect(told()).toEqual(['a', 'b', 'a x2', 'b x1']);
  });

  it('has one line a minute while it goes on, each with its own count and the newest fields', () => {
    for (let n = 0; n < 6; n++) {
      report('error', { n }, 'a');
      clock.advance(30_000);
    }
    expect(lines.map(({ level, n, repeated }) => [level, n, repeated])).toEqual([
      ['error', 0, undefined],
      ['error', 1, 1],
      ['error', 3, 2],
      ['error', 5, 2],
    ]);
  });

  it('is news again after a minute without it, and leaves no timer behind', () => {
    report('warn', {}, 'a');
    clock.advance(60_000);
    expect(clock.timers).toBe(0);
    report('warn', {}, 'a');
    expect(told()).toEqual(['a', 'a']);
  });

  it('is distinguished from others by the first 500 characters of its key', () => {
    for (const end of ['a', 'b']) {
      report('warn', {}, `1 ${end}`, `${'x'.repeat(500)}${end}`);
      report('warn', {}, `2 ${end}`, `${'x'.repeat(499)}${end}`);
    }
    expect(told()).toEqual(['1 a', '2 a', '2 b']);
  });

  it('is distinguished from others by its key, whatever its text', () => {
    report('warn', {}, 'a', 'one');
    report('warn', {}, 'a', 'another');
    report('warn', {}, 'b', 'one');
    expect(told()).toEqual(['a', 'a']);
  });

  it('is the same whatever the durations in it', () => {
    report('warn', {}, 'retrying after 94.8644ms');
    report('warn', {}, 'retrying after 1 s');
    report('warn', {}, 'retrying after 3 attempts');
    expect(told()).toEqual(['retrying after 94.8644ms', 'retrying after 3 attempts']);
  });

  it('is forgotten with its count, rather than kept without a limit', () => {
    report('warn', {}, '0');
    for (let i = 0; i < 100; i++) report('warn', {}, `${i}`);
    expect(lines).toHaveLength(100);
    report('warn', {}, 'one more');
    expect(told().slice(100)).toEqual(['0 x1', 'one more']);
    report('warn', {}, '0');
    expect(told().slice(102)).toEqual(['0']);
    expect(clock.timers).toBe(100);
  });
});
