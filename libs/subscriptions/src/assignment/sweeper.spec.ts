import { RedisJobSetLife, RedisJobSink, createRedisClient, type RedisClient } from '@ajs/job-store';
import { ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { interestShard, formatKey, jobSetTag } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import { Sweeper } from './sweeper.js';
import { WorkQueue } from './work-queue.js';

const HOUR = 3_600_000;
const FORGOTTEN: JobSetKey = { queue: 'q', jobSetId: 'forgotten' };
const WANTED: JobSetKey = { queue: 'q', jobSetId: 'wanted' };

let server: RedisServer;
let redis: RedisClient;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

async function written(key: JobSetKey): Promise<void> {
  const records = new Map([['job', { state: 'RUNNING', changedAt: ArmadaTime(0) } as JobRecord]]);
  const sink = new RedisJobSink(redis, {
    ttlSeconds: 100,
    onLost: () => undefined,
    onKept: () => undefined,
  });
  await (
    await sink.open(key)
  ).write({ cursor: '1:0:0:1', records, subscription: { state: 'live', reason: '' } });
}

async function demandedAgo(key: JobSetKey, ms: number): Promise<void> {
  const shard = formatKey({ kind: 'interest', shard: interestShard(key) });
  await redis.zadd(shard, Date.now() - ms, jobSetTag(key));
}

it('a Redis that is full is swept all the same: what nobody asks about makes room', async () => {
  const errors: string[] = [];
  const onError = ({ message }: Error): void => void errors.push(message);
  const demand = new InterestStore(redis);
  const workQueue = new WorkQueue(redis, onError);
  const sweeper = new Sweeper({
    redis,
    replicaId: 'a',
    interest: demand,
    life: new RedisJobSetLife(redis, 100),
    workQueue,
    lifetime: { followFor: HOUR, followUnfinishedFor: HOUR, keepFor: 2 * HOUR },
    onError,
  });
  const meta = formatKey({ kind: 'meta', jobSet: FORGOTTEN });
  await written(FORGOTTEN);
  await redis.hset(meta, 'interest', Date.now() - 3 * HOUR);
  await demandedAgo(FORGOTTEN, 3 * HOUR);
  await demandedAgo(WANTED, 0);
  await redis.call('CONFIG', 'SET', 'maxmemory', '1');
  sweeper.start(10);
  await eventually('it is deleted', async () => (await redis.exists(meta)) === 0);
  await eventually('and forgotten', async () => (await demand.age(FORGOTTEN)) === undefined);
  await eventually('what has no room is told', () => errors.some((text) => text.startsWith('OOM ')));
  expect(await demand.age(WANTED)).toEqual(expect.any(Number));
  sweeper.stop();
  await workQueue.close();
});
