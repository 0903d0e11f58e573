import { ManualClock } from '@ajs/testing';
import { AuthError } from './index.js';
import { BoundedChecks } from './bounded-checks.js';

let clock: ManualClock;
const limits = {
  unverified: { perSecond: 4, maxConcurrent: 2 },
  verified: { perSecond: 100, maxConcurrent: 100 },
};

/** A check that a test ends. */
function check() {
  const started: ((value: string) => void)[] = [];
  return { started, run: () => new Promise<string>((resolve) => started.push(resolve)) };
}

describe('bounded checks', () => {
  let checks: BoundedChecks<string>;
  beforeEach(() => {
    clock = new ManualClock();
    checks = new BoundedChecks(limits, clock);
  });

  it('share one run while it lasts, and run again later', async () => {
    const { started, run } = check();
    const both = [checks.run('a', false, run), checks.run('a', false, run)];
    expect(started).toHaveLength(1);
    started[0]?.('yes');
    expect(await Promise.all(both)).toEqual(['yes', 'yes']);
    const later = checks.run('a', false, run);
    started[1]?.('no');
    expect(await later).toBe('no');
  });

  it('fail for all that share a failing run, which is not cached', async () => {
    const failing = () => Promise.reject(new Error('away'));
    const both = [checks.run('a', false, failing), checks.run('a', false, failing)];
    for (const one of both) await expect(one).rejects.toThrow('away');
    expect(await checks.run('a', false, () => Promise.resolve('yes'))).toBe('yes');
  });

  it('are refused at once beyond the limit of concurrent ones', async () => {
    const { started, run } = check();
    const [first] = ['a', 'b'].map((key) => checks.run(key, false, run));
    const refused = checks.run('c', false, run);
    await expect(refused).rejects.toThrow(AuthError);
    await expect(refused).rejects.toMatchObject({ kind: 'unavailable' });
    started[0]?.('yes');
    await first;
    void checks.run('c', false, run);
    expect(started).toHaveLength(3);
  });

  it('are limited in rate for unverified keys, apart from verified ones', async () => {
    const one = (key: string, known = false) => checks.run(key, known, () => Promise.resolve('yes'));
    for (const key of ['a', 'b', 'c', 'd']) await one(key);
    await expect(one('e')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await one('e', true)).toBe('yes');
    clock.advance(250);
    expect(await one('f')).toBe('yes');
    await expect(one('g')).rejects.toMatchObject({ kind: 'unavailable' });
    clock.advance(1_000_000);
    for (const key of ['a', 'b', 'c', 'd']) await one(key);
    await expect(one('e')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('are limited for each verified caller, and what exceeds its share takes nothing from others', async () => {
    checks = new BoundedChecks(
      {
        ...limits,
        verified: { perSecond: 6, maxConcurrent: 3 },
        perCaller: { perSecond: 4, maxConcurrent: 2 },
      },
      clock,
    );
    const one = (who: string, key: string) =>
      checks.run(`${who} ${key}`, true, () => Promise.resolve('yes'), who);
    for (const key of ['a', 'b', 'c', 'd']) expect(await one('alice', key)).toBe('yes');
    for (let i = 0; i < 10; i++) {
      await expect(one('alice', `more ${i}`)).rejects.toMatchObject({
        kind: 'unavailable',
        message: 'too many of your calls are waiting for a permission check; try again',
      });
    }
    for (const key of ['a', 'b']) expect(await one('bob', key)).toBe('yes');
    clock.advance(1_000);
    const { started, run } = check();
    const answers = ['a', 'b', 'c'].map((key) => checks.run(`alice ${key}`, true, run, 'alice'));
    await expect(answers[2]).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await one('bob', 'c')).toBe('yes');
    for (const end of started) end('yes');
    expect(await Promise.all(answers.slice(0, 2))).toEqual(['yes', 'yes']);
    expect(await one('alice', 'd')).toBe('yes');
  });
});
