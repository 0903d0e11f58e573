import { jest } from '@jest/globals';
import { Cursor, JobId, ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import {
  RedisJobLister,
  RedisJobSetLife,
  RedisJobSink,
  createRedisClient,
  type RedisClient,
} from '@ajs/job-store';
import { LoopProgress } from '@ajs/platform';
import { interestShard, jobSetTag } from '@ajs/redis-keys';
import { ManualClock, RedisServer, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import { RecordedQueue } from '../testing/recorded-queue.js';
import { Sweeper, type SweeperOptions } from './sweeper.js';
import { WorkQueue } from './work-queue.js';

const HOUR = 3_600_000;
const RUNNING: JobRecord = { state: 'RUNNING', runNumber: 1, changedAt: ArmadaTime(1) };
const ignore = (): void => undefined;
const jobSet = (n: number): JobSetKey => ({ queue: 'q', jobSetId: `s${n}` });

let server: RedisServer;
let redis: RedisClient;
let interest: InterestStore;
let life: RedisJobSetLife;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', ignore);
  interest = new InterestStore(redis);
  life = new RedisJobSetLife(redis, 1_000);
});
afterEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function sweeperWith(options: Partial<SweeperOptions> = {}) {
  const queue = new RecordedQueue();
  const sweeper = new Sweeper({
    redis,
    replicaId: 'a',
    interest,
    life,
    workQueue: queue,
    lister: new RedisJobLister(redis),
    onSwept: ignore,
    lifetime: { followFor: HOUR, followUnfinishedFor: HOUR, keepFor: 2 * HOUR },
    onError: ignore,
    ...options,
  });
  return { sweeper, queue };
}

async function write(key: JobSetKey, jobs: Readonly<Record<string, JobRecord>> = {}): Promise<void> {
  const sink = new RedisJobSink(redis, {
    ttlSeconds: 1_000,
    onLost: ignore,
    onKept: ignore,
    onUnreadable: ignore,
  });
  const writer = await sink.open(key);
  await writer.write({
    cursor: Cursor('1:0:0:1'),
    records: new Map(Object.entries(jobs).map(([jobId, record]) => [JobId(jobId), record])),
    subscription: { state: 'live', reason: '' },
  });
}

/** Something real, but for what a test puts in its place. */
function intercepted<T extends object>(real: T, instead: Partial<T>): T {
  return Object.assign(Object.create(real) as T, instead);
}

async function wasPolledAgo(key: JobSetKey, ms: number): Promise<void> {
  const shard = redis.ownKeys.format({ kind: 'interest', shard: interestShard(key) });
  await redis.zadd(shard, Date.now() - ms, jobSetTag(key));
}

describe('the sweep', () => {
  it('enqueues every job set that is to be followed', async () => {
    await interest.record(jobSet(1));
    await wasPolledAgo(jobSet(2), 1.5 * HOUR);
    const { sweeper, queue } = sweeperWith();
    await sweeper.sweep();
    expect([...queue.enqueued]).toEqual(['s1']);
  });

  it('says how many job sets that are to be followed are in each state, and nothing where another replica sweeps', async () => {
    for (const n of [1, 2, 3, 4]) await interest.record(jobSet(n));
    for (const n of [1, 2, 4]) await write(jobSet(n), { job: RUNNING });
    await redis.hset(redis.ownKeys.metaKey(jobSet(2)), 'state', 'denied');
    await wasPolledAgo(jobSet(4), 1.5 * HOUR);
    const swept: (Record<string, number> | undefined)[] = [];
    const sweepers = ['a', 'b'].map(
      (replicaId) =>
        sweeperWith({
          replicaId,
          onSwept: (counts) => swept.push(counts && Object.fromEntries(counts)),
        }).sweeper,
    );
    for (const sweeper of sweepers) sweeper.start(1_000);
    await eventually('both tried', () => swept.length >= 2);
    for (const sweeper of sweepers) sweeper.stop();
    // The one without keys was polled, and no replica has taken it up.
    expect(swept).toContainEqual({ live: 1, denied: 1, connecting: 1 });
    expect(swept).toContainEqual(undefined);
  });

  it('leaves the next one to whichever replica comes first: its own election is over by then', async () => {
    const { sweeper } = sweeperWith();
    sweeper.start(1_000);
    const electedFor = await eventually('it is elected', async () => {
      const ms = await redis.pttl(redis.ownKeys.format({ kind: 'sweeper' }));
      return ms > 0 && ms;
    });
    sweeper.stop();
    expect(electedFor).toBeLessThanOrEqual(900);
  });

  it('deletes what was not polled for long enough, and nothing else', async () => {
    await interest.record(jobSet(1));
    await write(jobSet(1));
    const lister = new RedisJobLister(redis);
    await sweeperWith().sweeper.sweep();
    expect((await lister.read(jobSet(1), [])).subscription).toBeDefined();
    await eventually('time passes', async () => ((await interest.age(jobSet(1))) ?? 0) > 5);
    await sweeperWith({ lifetime: { followFor: 1, followUnfinishedFor: 1, keepFor: 1 } }).sweeper.sweep();
    expect((await lister.read(jobSet(1), [])).subscription).toBeUndefined();
    expect(await interest.age(jobSet(1))).toBeUndefined();
  });

  it('deletes names without a job as soon as they are not followed any more, and keeps what has jobs', async () => {
    await interest.record(jobSet(1));
    await write(jobSet(1));
    await interest.record(jobSet(2));
    const ended: JobRecord = { state: 'SUCCEEDED', runNumber: 1, changedAt: ArmadaTime(1) };
    await write(jobSet(2), { '01m85vnck01jqpr3vd00000001': ended });
    // Which no replica has taken up.
    await interest.record(jobSet(3));
    await eventually('time passes', async () => ((await interest.age(jobSet(3))) ?? 0) > 5);
    const lifetime = { followFor: 1, followUnfinishedFor: HOUR, keepFor: HOUR };
    await sweeperWith({ lifetime }).sweeper.sweep();
    expect(await interest.age(jobSet(1))).toBeUndefined();
    expect(await life.touch(jobSet(1))).toBe(false);
    expect(await interest.age(jobSet(3))).toBeUndefined();
    expect(await interest.age(jobSet(2))).toBeDefined();
    expect(await life.unfinished(jobSet(2))).toBe(0);
  });

  it('keeps a job set that is polled between its look and its delete', async () => {
    const key = jobSet(1);
    await write(key, { job: RUNNING });
    await wasPolledAgo(key, 3 * HOUR);
    await redis.hset(redis.ownKeys.metaKey(key), 'interest', Date.now() - 3 * HOUR);
    const poll = async (): Promise<unknown> => Promise.all([interest.record(key), life.touch(key)]);
    const polledBefore = intercepted(life, { remove: (...args) => poll().then(() => life.remove(...args)) });
    await sweeperWith({ life: polledBefore }).sweeper.sweep();
    expect(await life.unfinished(key)).toBe(1);
    expect(await interest.age(key)).toBeLessThan(HOUR);
  });

  it('keeps the interest in a job set that is polled between its delete and its end', async () => {
    const key = jobSet(1);
    await write(key, { job: RUNNING });
    await wasPolledAgo(key, 3 * HOUR);
    await redis.hset(redis.ownKeys.metaKey(key), 'interest', Date.now() - 3 * HOUR);
    const polledBefore = intercepted(interest, {
      forget: (entry) => interest.record(key).then(() => interest.forget(entry)),
    });
    const { sweeper, queue } = sweeperWith({ interest: polledBefore });
    await sweeper.sweep();
    expect(await life.unfinished(key)).toBeUndefined();
    expect(await interest.age(key)).toBeLessThan(HOUR);
    await sweeper.sweep();
    expect([...queue.enqueued]).toEqual(['s1']);
  });

  it('deletes the job set before it forgets the interest: what a crash between the two leaves is swept again', async () => {
    const key = jobSet(1);
    await write(key, { job: RUNNING });
    await wasPolledAgo(key, 3 * HOUR);
    await redis.hset(redis.ownKeys.metaKey(key), 'interest', Date.now() - 3 * HOUR);
    const dying = intercepted(life, { remove: () => Promise.reject(new Error('the process died')) });
    await sweeperWith({ life: dying }).sweeper.sweep();
    expect(await interest.age(key)).toBeGreaterThan(HOUR);
    await sweeperWith().sweeper.sweep();
    expect([await interest.age(key), await life.unfinished(key)]).toEqual([undefined, undefined]);
  });

  it('goes on with all other job sets where something fails at one', async () => {
    const [unfinished, deleted, followed] = [jobSet(1), jobSet(2), jobSet(3)];
    await wasPolledAgo(unfinished, 1.5 * HOUR);
    await wasPolledAgo(deleted, 4 * HOUR);
    await interest.record(followed);
    // Keys of another type, which no command of ours expects.
    for (const key of [unfinished, deleted, followed]) await redis.set(redis.ownKeys.metaKey(key), 'no hash');
    await interest.record(jobSet(4));
    await wasPolledAgo(jobSet(5), 4 * HOUR);
    const errors: string[] = [];
    const swept: unknown[] = [];
    const { sweeper, queue } = sweeperWith({
      lifetime: { followFor: HOUR, followUnfinishedFor: 2 * HOUR, keepFor: 3 * HOUR },
      onError: ({ message }) => void errors.push(message),
      onSwept: (counts) => swept.push(counts && Object.fromEntries(counts)),
    });
    await sweeper.sweep();
    expect(errors).toEqual(Array(3).fill(expect.stringContaining('WRONGTYPE')));
    expect([[...queue.enqueued].sort(), swept]).toEqual([['s3', 's4'], [{ connecting: 1 }]]);
    expect(await Promise.all([1, 2, 5].map((n) => interest.age(jobSet(n))))).toEqual([
      expect.any(Number),
      expect.any(Number),
      undefined,
    ]);
  });

  it('follows and keeps a job set until its time, and not one moment longer', async () => {
    const lifetime = { followFor: HOUR, followUnfinishedFor: 2 * HOUR, keepFor: 3 * HOUR };
    const ended: JobRecord = { ...RUNNING, state: 'SUCCEEDED' };
    for (const [n, record] of [RUNNING, ended].entries()) await write(jobSet(n), { job: record });
    /** What becomes of both at this age. */
    const at = async (age: number): Promise<{ followed: string[]; deleted: string[] }> => {
      const deleted: string[] = [];
      const entries = [0, 1].map((n) => ({ key: jobSet(n), lastInterestAt: 0, age }));
      const { sweeper, queue } = sweeperWith({
        lifetime,
        interest: intercepted(interest, {
          // eslint-disable-next-line @typescript-eslint/require-await -- as the store's own
          all: async function* () {
            yield entries;
          },
          forget: ({ key }) => Promise.resolve(void deleted.push(key.jobSetId)),
        }),
        life: intercepted(life, { remove: () => Promise.resolve(true) }),
      });
      await sweeper.sweep();
      return { followed: [...queue.enqueued], deleted };
    };
    const [running, both, none] = [['s0'], ['s0', 's1'], []];
    expect(await at(HOUR - 1)).toEqual({ followed: both, deleted: none });
    expect(await at(HOUR)).toEqual({ followed: running, deleted: none });
    expect(await at(2 * HOUR - 1)).toEqual({ followed: running, deleted: none });
    expect(await at(2 * HOUR)).toEqual({ followed: none, deleted: none });
    expect(await at(3 * HOUR - 1)).toEqual({ followed: none, deleted: none });
    expect(await at(3 * HOUR)).toEqual({ followed: none, deleted: both });
  });

  it('is left to the replica that is elected, and is made by another once that one is gone', async () => {
    const elected = redis.ownKeys.format({ kind: 'sweeper' });
    await redis.set(elected, 'another');
    await interest.record(jobSet(1));
    let tries = 0;
    const counting = intercepted(redis, {
      set: ((...args: Parameters<RedisClient['set']>) => {
        tries++;
        return redis.set(...args);
      }) as RedisClient['set'],
    });
    const { sweeper, queue } = sweeperWith({ redis: counting });
    sweeper.start(10);
    try {
      await eventually('it stands for election', () => tries >= 3);
      expect([await redis.get(elected), queue.enqueued.size]).toEqual(['another', 0]);
      await redis.del(elected);
      await eventually('it sweeps', () => queue.enqueued.size === 1);
    } finally {
      sweeper.stop();
    }
  });

  it('comes again and again until it is stopped, and not before the last one is over', async () => {
    jest.useFakeTimers();
    try {
      let elections = 0;
      let answered = Promise.resolve();
      const electing = intercepted(redis, {
        set: (() => (elections++, answered.then(() => null))) as unknown as RedisClient['set'],
      });
      const { sweeper } = sweeperWith({ redis: electing });
      sweeper.start(1_000);
      await jest.advanceTimersByTimeAsync(2_000);
      expect(elections).toBe(2);
      let answer = ignore;
      answered = new Promise((resolve) => (answer = resolve));
      await jest.advanceTimersByTimeAsync(5_000);
      expect(elections).toBe(3);
      answer();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(elections).toBe(4);
      sweeper.stop();
      await jest.advanceTimersByTimeAsync(5_000);
      expect(elections).toBe(4);
    } finally {
      jest.useRealTimers();
    }
  });

  it('does not stand still while it goes through many job sets', async () => {
    const clock = new ManualClock();
    const progress = new LoopProgress(60_000, () => clock.monotonic());
    progress.moved();
    const { sweeper } = sweeperWith({
      progress,
      interest: intercepted(interest, {
        // eslint-disable-next-line @typescript-eslint/require-await -- as the store's own
        all: async function* () {
          for (let page = 0; page < 3; page++) {
            clock.advance(40_000);
            yield [];
          }
        },
      }),
    });
    await sweeper.sweep();
    expect(progress.standstill).toBeUndefined();
  });

  it('goes on after one that failed', async () => {
    await interest.record(jobSet(1));
    const errors: string[] = [];
    const failing = intercepted(interest, {
      all: () => {
        if (errors.length === 0) throw new Error('Redis is away');
        return interest.all();
      },
    });
    const { sweeper, queue } = sweeperWith({
      interest: failing,
      onError: ({ message }) => void errors.push(message),
    });
    sweeper.start(10);
    try {
      await eventually('it sweeps', () => queue.enqueued.size === 1);
      expect(errors).toEqual(['Redis is away']);
    } finally {
      sweeper.stop();
    }
  });

  it('runs over a Redis that is full all the same: what is deleted makes room', async () => {
    const [forgotten, wanted] = [jobSet(1), jobSet(2)];
    const errors: string[] = [];
    const onError = ({ message }: Error): void => void errors.push(message);
    const workQueue = new WorkQueue(redis, onError);
    const { sweeper } = sweeperWith({ workQueue, onError });
    const meta = redis.ownKeys.metaKey(forgotten);
    await write(forgotten, { job: { state: 'RUNNING', changedAt: ArmadaTime(0), runNumber: 1 } });
    await redis.hset(meta, 'interest', Date.now() - 3 * HOUR);
    await wasPolledAgo(forgotten, 3 * HOUR);
    await wasPolledAgo(wanted, 0);
    await redis.call('CONFIG', 'SET', 'maxmemory', '1');
    sweeper.start(10);
    try {
      await eventually('it is deleted', async () => (await redis.exists(meta)) === 0);
      await eventually('and forgotten', async () => (await interest.age(forgotten)) === undefined);
      await eventually('what has no room is reported', () => errors.some((text) => text.startsWith('OOM ')));
      expect(await interest.age(wanted)).toEqual(expect.any(Number));
    } finally {
      sweeper.stop();
      await redis.call('CONFIG', 'SET', 'maxmemory', '0');
      await workQueue.close();
    }
  });
});
