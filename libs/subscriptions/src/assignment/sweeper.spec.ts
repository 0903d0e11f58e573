import { Cursor, JobId, ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import {
  RedisJobLister,
  RedisJobSetLife,
  RedisJobSink,
  createRedisClient,
  type RedisClient,
} from '@ajs/job-store';
import { formatKey, interestShard, jobSetTag } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import { RecordedQueue } from '../testing/recorded-queue.js';
import { Sweeper, type SweeperOptions } from './sweeper.js';
import { WorkQueue } from './work-queue.js';

const HOUR = 3_600_000;
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

async function wasPolledAgo(key: JobSetKey, ms: number): Promise<void> {
  const shard = formatKey({ kind: 'interest', shard: interestShard(key) });
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

  it('runs over a Redis that is full all the same: what is deleted makes room', async () => {
    const [forgotten, wanted] = [jobSet(1), jobSet(2)];
    const errors: string[] = [];
    const onError = ({ message }: Error): void => void errors.push(message);
    const workQueue = new WorkQueue(redis, onError);
    const { sweeper } = sweeperWith({ workQueue, onError });
    const meta = formatKey({ kind: 'meta', jobSet: forgotten });
    await write(forgotten, { job: { state: 'RUNNING', changedAt: ArmadaTime(0), runNumber: 1 } });
    await redis.hset(meta, 'interest', Date.now() - 3 * HOUR);
    await wasPolledAgo(forgotten, 3 * HOUR);
    await wasPolledAgo(wanted, 0);
    await redis.call('CONFIG', 'SET', 'maxmemory', '1');
    sweeper.start(10);
    await eventually('it is deleted', async () => (await redis.exists(meta)) === 0);
    await eventually('and forgotten', async () => (await interest.age(forgotten)) === undefined);
    await eventually('what has no room is reported', () => errors.some((text) => text.startsWith('OOM ')));
    expect(await interest.age(wanted)).toEqual(expect.any(Number));
    sweeper.stop();
    await workQueue.close();
    await redis.call('CONFIG', 'SET', 'maxmemory', '0');
  });
});
