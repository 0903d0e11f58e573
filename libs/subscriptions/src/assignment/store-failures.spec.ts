import { JobId } from '@ajs/job-state';
import { RedisJobLister, createRedisClient, type ClientRole, type RedisClient } from '@ajs/job-store';
import { Generation, RedisKeys } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { WorkQueue } from './work-queue.js';

const KEYS = new RedisKeys();

const HOUR = 3_600_000;
const KEY = { queue: 'q', jobSetId: 's' };
const META = KEYS.metaKey(KEY);
const LIFETIME = { followFor: HOUR, followUnfinishedFor: HOUR, keepFor: HOUR };
const ignore = (): void => undefined;

let server: RedisServer;
let redis: RedisClient;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  cleanups.push(() => server.stop());
  redis = connect('writer');
});

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

function connect(role: ClientRole): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  cleanups.push(() => client.disconnect());
  return client;
}

/** A replica that watches the job set, by default, over a source that is fed by hand. */
async function watching(numbers: Parameters<typeof scriptedBudgets>[3] = {}) {
  const source = new ScriptedSource();
  source.endsReads = true;
  const unreadable: (readonly [message: string, inARow: number])[] = [];
  const failed: (readonly [message: string, inARow: number])[] = [];
  const retriesInMs: number[] = [];
  const writeFailures: string[] = [];
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...scriptedBudgets(redis, 'a', LIFETIME, numbers),
    observer: {
      ...SILENT_OBSERVER,
      unreadable: (_, { message }, __, inARow) => unreadable.push([message, inARow]),
      assignmentFailed: (_, { message }, retryInMs, inARow) => {
        failed.push([message, inARow]);
        retriesInMs.push(retryInMs);
      },
      writeFailed: (_, { message }) => writeFailures.push(message),
    },
    timing: { ...REFLECTOR_TIMING, checkSilentWatchAfterMs: HOUR },
    rebalanceIntervalMs: HOUR,
  });
  cleanups.push(() => worker.stop());
  const workQueue = new WorkQueue(connect('work-queue'), ignore);
  cleanups.push(() => workQueue.close());
  await new InterestStore(redis).record(KEY);
  await workQueue.enqueue([KEY]);
  const watch = () => eventually('it is watched', () => source.live.find(({ request }) => request.watch));
  const isGivenBack = () =>
    eventually('it is given back', async () => worker.size === 0 && (await workQueue.countDelayed()) === 1);
  return { worker, workQueue, source, watch, isGivenBack, unreadable, failed, retriesInMs, writeFailures };
}

const stateOf = async (jobId: JobId) =>
  (await new RedisJobLister(redis).read(KEY, [jobId])).jobs.get(jobId)?.state;

/** As a newer replica does: it moves the layout, and the revision like every write. */
const writeAsNewer = () => redis.multi().hset(META, 'layout', 99).hincrby(META, 'revision', 1).exec();

describe('a job set that a newer version has written', () => {
  it('is given back, said once, and followed again once this version can read it', async () => {
    const { watch, isGivenBack, source, unreadable } = await watching();
    await watch();
    await writeAsNewer();
    (await watch()).listener.message(running(1, JobId('job')));
    await isGivenBack();
    expect(unreadable).toEqual([[expect.stringContaining('layout 99'), 1]]);
    expect(source.live).toEqual([]);
    await eventually('it is tried again', () => unreadable.length === 2);
    expect(unreadable[1]?.[1]).toBe(2);
    expect(await redis.hget(META, 'cursor')).toBe('');
    await redis.hdel(META, 'layout');
    await redis.hset(META, 'layout', 1);
    await eventually('it is watched again', () => source.live.some(({ request }) => request.watch), 20_000);
  }, 40_000);

  it('has failed for the first time again once it could be read in between', async () => {
    const { unreadable, source } = await watching({ watchBudget: 0, minIntervalMs: 100, maxIntervalMs: 100 });
    await eventually('it is read', async () => (await redis.hexists(META, 'cursor')) === 1);
    await writeAsNewer();
    await eventually('it was tried twice', () => unreadable.length === 2);
    const opened = source.opened.length;
    await redis.hset(META, 'layout', 1);
    // The one before is over by then.
    await eventually('a second read has begun', () => source.opened.length >= opened + 2, 10_000);
    await writeAsNewer();
    await eventually('it cannot be read again', () => unreadable.length > 2);
    expect(unreadable.map(([, inARow]) => inARow)).toEqual([1, 2, 1]);
  }, 30_000);
});

describe('a job set in which something fails that trying again does not heal', () => {
  it('is given back and left alone for a while, also when a poll requests a read', async () => {
    const { watch, isGivenBack, worker, workQueue, source, failed, writeFailures } = await watching();
    await watch();
    const generation = Generation((await redis.hget(META, 'generation')) ?? '');
    // A key of another type, which no script of ours expects.
    await redis.set(KEYS.format({ kind: 'bucket', jobSet: KEY, generation, bucket: 0 }), 'no hash');
    (await watch()).listener.message(running(1, JobId('job')));
    await isGivenBack();
    expect(failed).toEqual([[expect.stringContaining('WRONGTYPE'), 1]]);
    expect(writeFailures).toEqual([]);
    const opened = source.opened.length;
    worker.requestRead(KEY);
    await workQueue.promote(KEY);
    await eventually('it was taken, and put back', async () => (await attempts()) > 1);
    await isGivenBack();
    expect([source.opened.length, failed.length]).toEqual([opened, 1]);
  });

  async function attempts(): Promise<number> {
    const [key] = (await redis.keys('{ajs}:follow:*')).filter((name) => /:[0-9a-f]{40}$/.test(name));
    return Number(key === undefined ? 0 : await redis.hget(key, 'ats'));
  }
});

describe('a job set for which the user of Redis lacks a right', () => {
  it('is tried again soon, and followed once the right is granted', async () => {
    await redis.call('ACL', 'SETUSER', 'default', '-hsetnx');
    const { watch, failed, retriesInMs } = await watching();
    await eventually('it is denied', () => failed.length > 0);
    expect(failed[0]).toEqual([expect.stringMatching(/can't run|NOPERM|ACL failure/), 1]);
    expect(retriesInMs[0]).toBeLessThanOrEqual(1_000);
    await redis.call('ACL', 'SETUSER', 'default', '+hsetnx');
    await watch();
  });
});

describe('a job set whose writes Redis refuses', () => {
  it('stays with its owner, its streams unread, until Redis has room', async () => {
    const { watch, worker, writeFailures, failed } = await watching();
    const stream = await watch();
    await redis.call('CONFIG', 'SET', 'maxmemory', '1');
    stream.listener.message(running(1, JobId('job')));
    await eventually('writes are refused', () => writeFailures.some((message) => message.startsWith('OOM')));
    expect(stream.paused).toBe(true);
    await redis.call('CONFIG', 'SET', 'maxmemory', '0');
    await eventually('the job runs', async () => (await stateOf(JobId('job'))) === 'RUNNING');
    await eventually('it is read again', () => !stream.paused);
    expect([worker.size, failed, stream.ended]).toEqual([1, [], false]);
  });
});
