import { completesWithin } from './completes-within.js';

const never = new Promise<void>(() => undefined);

describe('work with a time limit', () => {
  it('completes within it', async () => {
    expect(await completesWithin(60_000, Promise.resolve('done'))).toBe(true);
  });

  it('is not waited for beyond it', async () => {
    expect(await completesWithin(1, never)).toBe(false);
  });

  it('rejects if it fails within it', async () => {
    await expect(completesWithin(60_000, Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  });

  it.each([
    ['completes', () => Promise.resolve()],
    ['fails', () => Promise.reject(new Error('failed'))],
  ])('leaves no timer behind when it %s: many calls wait for long', async (_, work) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    await completesWithin(60_000, work()).catch(() => undefined);
    expect(timers()).toBe(before);
  });

  it('may fail later without an unhandled rejection', async () => {
    let fail = (_: Error): void => undefined;
    const work = new Promise<void>((_, reject) => (fail = reject));
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    expect(await completesWithin(1, work)).toBe(false);
    fail(new Error('failed late'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
