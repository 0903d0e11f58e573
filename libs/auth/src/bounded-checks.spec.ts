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
    const both = [checks.run('a', false, run, 'caller'), checks.run('a', false, run, 'caller')];
    expect(started).toHaveLength(1);
    started[0]?.('yes');
    expect(await Promise.all(both)).toEqual(['yes', 'yes']);
    const later = checks.run('a', false, run, 'caller');
    started[1]?.('no');
    expect(await later).toBe('no');
  });

  it('fail for all that share a failing run, which is not cached', async () => {
    const failing = () => Promise.reject(new Error('away'));
    const both = [checks.run('a', false, failing, 'caller'), checks.run('a', false, failing, 'caller')];
    for (const one of both) await expect(one).rejects.toThrow('away');
    expect(await checks.run('a', false, () => Promise.resolve('yes'), 'caller')).toBe('yes');
  });

  it('are refused at once beyond the limit of concurrent ones', async () => {
    const { started, run } = check();
    const [first] = ['a', 'b'].map((key) => checks.run(key, false, run, key));
    const refused = checks.run('c', false, run, 'c');
    await expect(refused).rejects.toThrow(AuthError);
    await expect(refused).rejects.toMatchObject({ kind: 'unavailable' });
    started[0]?.('yes');
    await first;
    void checks.run('c', false, run, 'c');
    expect(started).toHaveLength(3);
  });

  it('are limited in rate for unverified keys, apart from verified ones', async () => {
    const one = (key: string, known = false) => checks.run(key, known, () => Promise.resolve('yes'), key);
    for (const key of ['a', 'b', 'c', 'd']) await one(key);
    await expect(one('e')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await one('e', true)).toBe('yes');
    clock.advance(999);
    await expect(one('f')).rejects.toMatchObject({ kind: 'unavailable' });
    clock.advance(1);
    for (const key of ['a', 'b', 'c', 'd']) await one(key);
    await expect(one('e')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it.each([true, false])(
    'leave room for other callers, whoever floods them (verified: %s)',
    async (verified) => {
      checks = new BoundedChecks(
        { unverified: { perSecond: 8, maxConcurrent: 4 }, verified: { perSecond: 8, maxConcurrent: 4 } },
        clock,
      );
      const one = (who: string, key: string) =>
        checks.run(`${who} ${key}`, verified, () => Promise.resolve('yes'), who);
      // In rate.
      for (let i = 0; i < 6; i++) expect(await one('alice', `${i}`)).toBe('yes');
      for (let i = 6; i < 60; i++) {
        await expect(one('alice', `${i}`)).rejects.toMatchObject({
          kind: 'unavailable',
          message: 'too many credentials and permissions of yours are being checked right now; try again',
        });
      }
      expect(await one('bob', 'a')).toBe('yes');
      // And in number at one time.
      clock.advance(1_000);
      const { started, run } = check();
      const flood = ['a', 'b', 'c', 'd'].map((key) => checks.run(`alice ${key}`, verified, run, 'alice'));
      await expect(flood[3]).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await one('bob', 'b')).toBe('yes');
      for (const end of started) end('yes');
      expect(await Promise.all(flood.slice(0, 3))).toEqual(['yes', 'yes', 'yes']);
      expect(await one('alice', 'e')).toBe('yes');
    },
  );
});
