import { monotonicNow } from '@ajs/platform';
import { MonotonicTime } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Admission } from './admission.js';

/** Has a call wait as one that is counted elsewhere. */
async function openFor(call: { key: string }, work: () => Promise<void>): Promise<void> {
  admission.setAside(call);
  await work();
  admission.takeBack(call);
}

/** A call of one caller. */
const callOf = (key = 'a caller') => ({ key, deadline: MonotonicTime(Infinity), isGone: () => false });

let refused: string[];
let admission: Admission;
const admissionOf = (limits: { working: number; waiting: number }): void => {
  refused = [];
  admission = new Admission(limits, (pool, limit) => refused.push(`${pool} ${limit}`));
};

const exhausted = (setting: string) => ({
  code: status.RESOURCE_EXHAUSTED,
  details: expect.stringContaining(setting) as string,
});

describe('concurrent calls', () => {
  let release: (() => void)[];
  let wanted: Promise<void>;
  let settle: () => void;

  beforeEach(() => {
    release = [];
    wanted = new Promise((resolve) => (settle = resolve));
    // Each of these calls is another caller's, so that no share is used up.
    admissionOf({ working: 2, waiting: 1 });
  });

  let callers = 0;
  const another = () => callOf(`caller ${callers++}`);
  const work = (): Promise<string> => {
    const done = admission.run(
      another(),
      () => new Promise<string>((resolve) => release.push(() => resolve('done'))),
    );
    // A rejection that a test does not expect is to fail an assertion, not to end the process.
    done.catch(() => undefined);
    return done;
  };

  it('are processed up to the limit, and rejected before any work above it', async () => {
    const [first] = [work(), work()];
    await expect(work()).rejects.toMatchObject(exhausted('MAX_CONCURRENT_CALLS'));
    expect([release.length, refused]).toEqual([2, ['working_calls total']]);
    release[0]?.();
    expect(await first).toBe('done');
    void work();
    expect(release).toHaveLength(3);
  });

  it('no longer count when they have failed', async () => {
    for (let i = 0; i < 3; i++) {
      await expect(admission.run(another(), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    }
  });

  it.each([
    ['for a time', (call: { key: string }) => admission.pause(call, 50)],
    ['for a result', (call: { key: string }) => admission.waiting(call, () => wanted)],
  ] as const)(
    'do not count as processed while they wait %s, which has a limit of its own',
    async (_, wait) => {
      const waits = [another(), another()].map((call) => admission.run(call, () => wait(call)));
      await expect(waits[1]).rejects.toMatchObject(exhausted('MAX_WAITING_CALLS'));
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
      const call = another();
      const failing = (): Promise<never> => nextTurn().then(() => Promise.reject(new Error('no')));
      await expect(admission.run(call, () => admission.waiting(call, failing))).rejects.toThrow('no');
    }
    void work();
    void work();
    await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it('count again when they have waited', async () => {
    const call = another();
    const waited = admission.run(call, async () => {
      await admission.pause(call, 1);
      void work();
      await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    });
    await waited;
    void work();
    await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it('count as one that waits while they wait for several things, until the last has come', async () => {
    const call = another();
    const second = new Promise<void>((resolve) => release.push(resolve));
    const waited = admission.run(call, () =>
      Promise.all([admission.waiting(call, () => wanted), admission.waiting(call, () => second)]),
    );
    expect(admission.waitingNow).toBe(1);
    settle();
    await nextTurn();
    void work();
    void work();
    await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(release).toHaveLength(3);
    for (const end of release) end();
    await waited;
    expect(admission.waitingNow).toBe(0);
    await nextTurn();
    void work();
    void work();
    expect(release).toHaveLength(5);
  });

  it.each([
    ['for its verdict', (call: { key: string }) => admission.waiting(call, () => wanted)],
    [
      'for its verdict while it was open',
      (call: { key: string }) =>
        Promise.race([openFor(call, nextTurn), admission.waiting(call, () => wanted)]),
    ],
  ])('give back what they held when they end, though one still waits %s', async (_, wait) => {
    const call = another();
    const ended = admission.run(call, async () => {
      await Promise.race([wait(call), nextTurn()]);
      return 'ended';
    });
    expect(await ended).toBe('ended');
    const waitOnce = (next = another()): Promise<void> =>
      admission.run(next, () => admission.waiting(next, nextTurn));
    await waitOnce();
    settle();
    await waitOnce();
    expect(admission.waitingNow).toBe(0);
    // What goes on for a call that has ended counts for nothing.
    expect(await admission.waiting(call, () => Promise.resolve('late'))).toBe('late');
    void work();
    void work();
    await expect(work()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it('take no place among those that wait while they stay open, which is counted elsewhere', async () => {
    const calls = [another(), another(), another()];
    for (const call of calls) {
      admission.enter(call);
      admission.setAside(call);
    }
    const waits = another();
    expect(await admission.run(waits, () => admission.waiting(waits, () => Promise.resolve('verdict')))).toBe(
      'verdict',
    );
    expect(refused).toEqual([]);
  });

  it('are rejected where the caller has cancelled, or the deadline has expired', async () => {
    const work = (): Promise<never> => Promise.reject(new Error('worked on'));
    const gone = { ...callOf(), isGone: () => true };
    await expect(admission.run(gone, work)).rejects.toMatchObject({ code: status.CANCELLED });
    const late = { ...callOf(), deadline: monotonicNow() };
    await expect(admission.run(late, work)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(refused).toEqual([]);
  });
});

describe('a caller that makes as many calls as it can', () => {
  const never = (): Promise<never> => new Promise(() => undefined);
  /** The first refusal of fifty calls. */
  const flood = (work: (call: { key: string }) => Promise<unknown>): Promise<unknown> => {
    const calls = Array.from({ length: 50 }, () => callOf('flood'));
    return Promise.any(
      calls.map((call) => admission.run(call, () => work(call)).then(never, (error: unknown) => error)),
    );
  };

  it('leaves room for others to be processed, with an error that its share is used up', async () => {
    admissionOf({ working: 8, waiting: 8 });
    expect(await flood(never)).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details:
        'your share is used up: this replica processes at most 8 calls at once (MAX_CONCURRENT_CALLS), and keeps room for ' +
        'other callers; retry, or make fewer calls at once',
    });
    expect(refused).toEqual(Array(44).fill('working_calls share'));
    expect(await admission.run(callOf('another'), () => Promise.resolve('served'))).toBe('served');
  });

  it('leaves room for others to wait', async () => {
    admissionOf({ working: 100, waiting: 8 });
    expect(await flood((call) => admission.waiting(call, never))).toMatchObject(
      exhausted('MAX_WAITING_CALLS'),
    );
    expect(refused).toEqual(Array(44).fill('waiting_calls share'));
    const call = callOf('another');
    const served = admission.run(call, () => admission.waiting(call, () => Promise.resolve('served')));
    expect(await served).toBe('served');
  });
});
