import { monotonicNow } from '@ajs/platform';
import { MonotonicTime } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Admission } from './admission.js';

const caller = { deadline: MonotonicTime(Infinity), isGone: () => false };

describe('concurrent calls', () => {
  let shed: number;
  let release: (() => void)[];
  let admission: Admission;
  let wanted: Promise<void>;
  let settle: () => void;

  beforeEach(() => {
    shed = 0;
    release = [];
    wanted = new Promise((resolve) => (settle = resolve));
    admission = new Admission({ working: 2, waiting: 1 }, () => shed++);
  });

  const work = (): Promise<string> =>
    admission.run(caller, () => new Promise((resolve) => release.push(() => resolve('done'))));

  it('are processed up to the limit, and rejected before any work above it', async () => {
    const [first] = [work(), work()];
    await expect(work()).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('MAX_CONCURRENT_CALLS') as string,
    });
    expect([release.length, shed]).toEqual([2, 1]);
    release[0]?.();
    expect(await first).toBe('done');
    void work();
    expect(release).toHaveLength(3);
  });

  it('no longer count when they have failed', async () => {
    for (let i = 0; i < 3; i++) {
      await expect(admission.run(caller, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    }
  });

  it.each([
    ['for a time', () => admission.pause(50)],
    ['for a result', () => admission.waiting(() => wanted)],
  ] as const)(
    'do not count as processed while they wait %s, which has a limit of its own',
    async (_, wait) => {
      const waits = [1, 2].map(() => admission.run(caller, wait));
      await expect(waits[1]).rejects.toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        details: expect.stringContaining('MAX_WAITING_CALLS') as string,
      });
      void work();
      void work();
      expect(release).toHaveLength(2);
      await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
      settle();
      await waits[0];
      await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    },
  );

  it('no longer count as waiting when what they waited for has failed', async () => {
    for (let i = 0; i < 3; i++) {
      const failing = (): Promise<never> => nextTurn().then(() => Promise.reject(new Error('no')));
      await expect(admission.run(caller, () => admission.waiting(failing))).rejects.toThrow('no');
    }
    void work();
    void work();
    await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it('count again when they have waited', async () => {
    const waited = admission.run(caller, async () => {
      await admission.pause(1);
      return admission.run(caller, () => Promise.resolve('two places'));
    });
    expect(await waited).toBe('two places');
    await expect(admission.run(caller, () => admission.run(caller, () => work()))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  });

  it('are rejected where the caller has cancelled, or the deadline has expired', async () => {
    const work = (): Promise<never> => Promise.reject(new Error('worked on'));
    const gone = { ...caller, isGone: () => true };
    await expect(admission.run(gone, work)).rejects.toMatchObject({ code: status.CANCELLED });
    const late = { ...caller, deadline: monotonicNow() };
    await expect(admission.run(late, work)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(shed).toBe(0);
  });
});
