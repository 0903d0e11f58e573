import { completesWithin } from '@ajs/platform';
import { Readiness } from './readiness.js';

let readiness: Readiness;
beforeEach(() => (readiness = new Readiness()));

describe('readiness', () => {
  it('holds while all parts work, and names each that does not', async () => {
    readiness.add('redis', () => Promise.resolve());
    readiness.add('workQueue', () => Promise.reject(new Error('connection refused')));
    expect(await readiness.report()).toEqual({
      ready: false,
      checks: { redis: 'ok', workQueue: 'connection refused' },
    });
  });

  it('does not wait for a part that does not answer', async () => {
    readiness.add('redis', () => new Promise(() => undefined));
    const report = readiness.report();
    expect(await completesWithin(30_000, report)).toBe(true);
    expect(await report).toEqual({ ready: false, checks: { redis: 'no answer within 1000 ms' } });
  });

  it('ends while a loop that is needed stands still, and not for one that is dispensable', async () => {
    const standstills: Record<string, string | undefined> = {};
    readiness.addLoop('sweeper', () => standstills['sweeper'], 'needed');
    readiness.addLoop('interest', () => standstills['interest'], 'dispensable');
    expect(await readiness.report()).toEqual({ ready: true, checks: { sweeper: 'ok', interest: 'ok' } });
    standstills['interest'] = 'no progress for 42 s';
    expect(await readiness.report()).toEqual({
      ready: true,
      checks: { sweeper: 'ok', interest: 'no progress for 42 s' },
    });
    standstills['sweeper'] = 'no progress for 61 s';
    expect((await readiness.report()).ready).toBe(false);
    delete standstills['sweeper'];
    expect((await readiness.report()).ready).toBe(true);
  });

  it('asks each part once for all who want to know at the same time', async () => {
    let asked = 0;
    readiness.add('redis', () => Promise.resolve(asked++));
    await Promise.all([readiness.report(), readiness.report()]);
    expect(asked).toBe(1);
    await readiness.report();
    expect(asked).toBe(2);
  });

  it('ends when the process stops', async () => {
    readiness.add('redis', () => Promise.resolve());
    expect((await readiness.report()).ready).toBe(true);
    readiness.stop();
    expect((await readiness.report()).ready).toBe(false);
  });
});
