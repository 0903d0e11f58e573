import { Readiness } from './readiness.js';

describe('readiness', () => {
  it('is all of its parts, each told by name', async () => {
    const readiness = new Readiness({
      redis: () => Promise.resolve(),
      workQueue: () => Promise.reject(new Error('connection refused')),
    });
    expect(await readiness.report()).toEqual({
      ready: false,
      checks: { redis: 'ok', workQueue: 'connection refused' },
    });
  });

  it('does not wait for a part that says nothing', async () => {
    const readiness = new Readiness({ redis: () => new Promise(() => undefined) });
    expect(await readiness.report()).toEqual({ ready: false, checks: { redis: 'no answer within 1000 ms' } });
  });

  it('ends when the process stops', async () => {
    const readiness = new Readiness({ redis: () => Promise.resolve() });
    expect((await readiness.report()).ready).toBe(true);
    readiness.stop();
    expect((await readiness.report()).ready).toBe(false);
  });
});
