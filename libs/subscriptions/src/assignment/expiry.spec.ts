import { MemoryJobStore } from '@ajs/job-store/testing';
import { Cursor, JobId, ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import type { InterestEntry } from '../interest/interest-store.js';
import { Sweeper } from './sweeper.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LIFETIME = { followFor: 10 * MINUTE, followUnfinishedFor: HOUR, keepFor: 24 * HOUR };
const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };

/** Days on a clock that a test moves: a sweep a minute, over the store in memory. */
function days() {
  let now = 0;
  const store = new MemoryJobStore(() => now);
  const polledAt = new Map<JobSetKey, number>();
  const enqueued: JobSetKey[] = [];
  const sweeper = new Sweeper({
    redis: undefined as never,
    replicaId: 'a',
    interest: {
      all: async function* () {
        const all: InterestEntry[] = Array.from(polledAt, ([key, at]) => ({
          key,
          lastInterestAt: at,
          age: now - at,
        }));
        yield await Promise.resolve(all);
      },
      forget: ({ key }) => Promise.resolve(void polledAt.delete(key)),
    },
    life: store,
    workQueue: { enqueue: (keys) => Promise.resolve(void enqueued.push(...keys)) },
    lifetime: LIFETIME,
    lister: store,
    onSwept: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  const poll = async (): Promise<void> => {
    polledAt.set(KEY, now);
    await store.touch(KEY);
  };
  /** Writes a job in this state, as its owner does. */
  const follow = async (state: JobRecord['state']): Promise<void> => {
    const record = { state, changedAt: ArmadaTime(0) } as JobRecord;
    const subscription = { state: 'live', reason: '' } as const;
    await (
      await store.open(KEY)
    ).write({ cursor: Cursor('1:0:0:1'), records: new Map([[JobId('job'), record]]), subscription });
  };
  /** Lets so much time pass; says for how many minutes of it the job set was followed, and there. */
  const pass = async (ms: number, each?: () => Promise<void>) => {
    const seen = { followed: 0, there: 0 };
    for (const until = now + ms; now < until;) {
      now += MINUTE;
      await each?.();
      enqueued.length = 0;
      await sweeper.sweep();
      if (enqueued.length > 0) seen.followed++;
      if ((await store.read(KEY, [])).subscription !== undefined) seen.there++;
    }
    return seen;
  };
  return { poll, follow, pass, store, isPolled: () => polledAt.has(KEY) };
}

describe('a job set that is not polled any more', () => {
  it('is followed for ten minutes after the last poll, and deleted after a day', async () => {
    const { poll, follow, pass, isPolled } = days();
    await poll();
    await follow('SUCCEEDED');
    expect(await pass(48 * HOUR)).toEqual({ followed: 9, there: 24 * 60 - 1 });
    expect(isPolled()).toBe(false);
  });

  it('is followed for an hour while it has unfinished jobs', async () => {
    const { poll, follow, pass } = days();
    await poll();
    await follow('RUNNING');
    expect(await pass(48 * HOUR)).toEqual({ followed: 59, there: 24 * 60 - 1 });
  });

  it('is neither left nor deleted for as long as it is polled, however rarely it changes', async () => {
    const { poll, follow, pass, store } = days();
    await poll();
    await follow('RUNNING');
    let minute = 0;
    const seen = await pass(72 * HOUR, async () => {
      if (++minute % 9 === 0) await poll();
    });
    expect(seen).toEqual({ followed: 72 * 60, there: 72 * 60 });
    expect((await store.read(KEY, [JobId('job')])).jobs.get(JobId('job'))?.state).toBe('RUNNING');
  });

  it('begins anew, without a cursor, when it is polled after it was deleted', async () => {
    const { poll, follow, pass, store } = days();
    await poll();
    await follow('SUCCEEDED');
    await pass(25 * HOUR);
    await poll();
    expect(await pass(5 * MINUTE)).toMatchObject({ followed: 5 });
    expect((await store.open(KEY)).cursor).toBe('');
  });
});
