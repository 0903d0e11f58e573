import { jest } from '@jest/globals';
import type { JobId, JobSetKey } from '@ajs/job-state';
import { JOB_INDEX_GROUPS } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import type { Redis } from 'ioredis';
import { createRedisClient, type RedisClient } from '../client/redis-client.js';
import { aBatch, aJobId, aJobSet, aRecord } from '../testing/fixtures.js';
import { JobIndex } from './job-index.js';
import { RedisJobSetLife, keyTtlSeconds } from './redis-life.js';
import { RedisJobSink } from './redis-sink.js';

const TTL_SECONDS = 1_000;

let server: RedisServer;
let redis: RedisClient;
let sink: RedisJobSink;
let life: RedisJobSetLife;
let key: JobSetKey;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  sink = new RedisJobSink(redis, {
    ttlSeconds: TTL_SECONDS,
    onLost: () => {},
    onKept: () => {},
    onUnreadable: () => {},
  });
  life = new RedisJobSetLife(redis, TTL_SECONDS);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  key = aJobSet();
});

const someJobs = (length: number): JobId[] => Array.from({ length }, aJobId);
const write = async (jobIds: readonly JobId[]): Promise<unknown> =>
  (await sink.open(key)).write(
    aBatch('1:0:0:1', Object.fromEntries(jobIds.map((jobId) => [jobId, aRecord('RUNNING')]))),
  );
const inIndex = async (jobIds: readonly JobId[]): Promise<Set<JobId>> =>
  new Set((await new JobIndex(redis).find(jobIds)).keys());

describe('a job set that is removed', () => {
  it('leaves nothing in the job index', async () => {
    await write(someJobs(100));
    expect(await life.remove(key, 0)).toBe(true);
    for (const group of JOB_INDEX_GROUPS.keys()) {
      const meta = redis.ownKeys.format({ kind: 'job-index', group });
      expect(await redis.hmget(meta, 'jobs', 'sets')).toEqual(['0', '0']);
    }
  });

  it('and begun anew meanwhile has in the job index those of its jobs that it has again', async () => {
    const [again, gone] = [someJobs(100), someJobs(20)];
    await write([...again, ...gone]);
    const client = redis as Redis;
    const readBucket = client.hkeysBuffer.bind(client);
    jest.spyOn(client, 'hkeysBuffer').mockImplementationOnce(async (bucket) => {
      await write(again);
      return readBucket(bucket);
    });
    expect(await life.remove(key, 0)).toBe(true);
    expect(await inIndex([...again, ...gone])).toEqual(new Set(again));
    // What comes next is found as well, and all of it goes in the end.
    const next = someJobs(20);
    await write(next);
    expect(await inIndex(next)).toEqual(new Set(next));
    expect(await life.remove(key, 0)).toBe(true);
    expect(await inIndex([...again, ...next])).toEqual(new Set());
    jest.restoreAllMocks();
  });
});

it('keys live for twice the time after which a job set is removed, and for a day more', () => {
  expect(keyTtlSeconds(86_400_000)).toBe(3 * 86_400);
  expect(keyTtlSeconds(1_001)).toBe(86_403);
});
