import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { ScriptedSource } from '../testing/scripted-source.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { byRedisTime } from './redis-time.js';
import { WorkQueue } from './work-queue.js';

const HOUR = 3_600_000;
const LIFETIME = { followFor: 60_000, followUnfinishedFor: 120_000, keepFor: 180_000 };
const ignore = (): void => undefined;
/** The key that wakes a worker for a delayed job. */
const MARKER = '{ajs}:follow:marker';
const wallClock = Date.now;

let server: RedisServer;
let redis: RedisClient;
let queue: WorkQueue;
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
});

beforeEach(() => {
  redis = connect('writer');
  queue = new WorkQueue(connect('work-queue'), ignore);
});

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
  setClock(0);
  await queue.close();
});

afterAll(() => server.stop());

function connect(role: 'writer' | 'work-queue'): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  cleanups.push(() => client.disconnect());
  return client;
}

/** The wall clock of this process, and so of each replica in it, is so far ahead of Redis' from now on. */
function setClock(aheadMs: number): void {
  Date.now = () => wallClock() + aheadMs;
}

/** A replica without watches, which reads each job set at this interval. */
function replica(intervalMs: number) {
  const source = new ScriptedSource();
  source.endsReads = true;
  const numbers = { watchBudget: 0, minIntervalMs: intervalMs, maxIntervalMs: intervalMs };
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...scriptedBudgets(redis, `replica-${cleanups.length}`, LIFETIME, numbers),
  });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= worker.stop());
  cleanups.push(stop);
  return { stop, reads: () => source.opened.length };
}

async function poll(jobSetId: string): Promise<void> {
  const key: JobSetKey = { queue: 'q', jobSetId };
  await new InterestStore(redis).record(key);
  await queue.enqueue([key]);
}

const waits = (jobSets: number): Promise<unknown> =>
  eventually('the job sets are read, and wait', async () => (await queue.countDelayed()) === jobSets);

/** A script of BullMQ, by this body, on a client that goes by Redis' clock: takes the time of the caller, gives what it returns. */
function scriptOfBullMq(name: string, body: string): (now: number) => Promise<unknown> {
  const client = byRedisTime(connect('work-queue'));
  client.defineCommand(`${name}:1.0`, { numberOfKeys: 1, lua: body });
  const run = client as unknown as Record<
    string,
    (key: string, first: string, now: number) => Promise<unknown>
  >;
  return (now) => run[`${name}:1.0`]?.(MARKER, '', now) ?? Promise.reject(new Error('it is not defined'));
}

const scriptsRun = async (): Promise<number> =>
  Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);

describe('a scheduled read', () => {
  beforeEach(() => redis.flushall());

  it.each([
    ['set back', -HOUR],
    ['set ahead', HOUR],
  ])('comes in time when the clock of the replica is %s by an hour', async (_, aheadMs) => {
    const { reads } = replica(1_000);
    await poll('s');
    await waits(1);
    setClock(aheadMs);
    // A worker that is about to sleep when the clock is set sleeps for 10 s, which is BullMQ's bound.
    await eventually('it is read at its interval', () => reads() >= 4, 20_000);
  });

  it.each([
    ['ahead', HOUR],
    ['behind', -HOUR],
  ])('comes in time when the replica that scheduled it is an hour %s', async (_, aheadMs) => {
    setClock(aheadMs);
    const a = replica(1_000);
    await poll('s');
    await waits(1);
    await a.stop();
    setClock(0);
    const b = replica(1_000);
    await eventually('the other reads it', () => b.reads() >= 1);
  });

  it('does not come early, and is not looked for without a pause, by a replica that is an hour ahead', async () => {
    const { reads } = replica(60_000);
    await poll('s');
    await waits(1);
    setClock(HOUR);
    await poll('t');
    await waits(2);
    const before = await scriptsRun();
    const since = performance.now();
    await eventually('it looks some times', async () => (await scriptsRun()) > before + 10, 40_000);
    expect(performance.now() - since).toBeGreaterThan(1_000);
    expect(reads()).toBe(2);
  });

  it('does not wait for a replica that is an hour behind to look every ten seconds', async () => {
    setClock(-HOUR);
    const { reads } = replica(200);
    await poll('s');
    // One look in ten seconds would take longer than this for the ten.
    await eventually('it is read ten times', () => reads() >= 10, 40_000);
  });
});

describe('a script of BullMQ that says when the next delayed job is due', () => {
  const ANSWER = 'return { 0, 0, 0, ARGV[2] + %d }';

  it.each([
    ['in an hour', HOUR, 1_000],
    ['in half a second', 500, 500],
  ])('has a worker ask again within a second, by its own clock: due %s', async (_, dueIn, asksIn) => {
    const run = scriptOfBullMq('moveToActive', ANSWER.replace('%d', String(dueIn)));
    for (const ahead of [-HOUR, 0, HOUR]) {
      const now = Math.trunc(wallClock()) + ahead;
      const [, , , next] = (await run(now)) as number[];
      expect(next).toBe(now + asksIn);
    }
  });

  it('says that there is none, whatever the clock of the worker', async () => {
    const run = scriptOfBullMq('moveToActive', 'return { 0, 0, 0, 0 }');
    expect(await run(Math.trunc(wallClock()) + HOUR)).toEqual([0, 0, 0, 0]);
  });
});

describe('a script of BullMQ that delays a job', () => {
  beforeEach(() => redis.flushall());

  it('wakes a worker that sleeps for delayed jobs at once, whatever time it gave, and nobody else', async () => {
    const asIs = scriptOfBullMq('moveToDelayed', 'return 0');
    await asIs(1);
    expect(await redis.exists(MARKER)).toBe(0);
    const delays = scriptOfBullMq('moveToDelayed', "redis.call('ZADD', KEYS[1], ARGV[2], '1') return 0");
    await delays(1);
    expect(await redis.zscore(MARKER, '1')).toBe('0');
  });
});
