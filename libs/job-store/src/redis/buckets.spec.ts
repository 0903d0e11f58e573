import { JobId, type JobSetKey } from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import { createRedisClient, type RedisClient } from '../client/redis-client.js';
import type { JobSetWriter } from '../ports.js';
import { aBatch, aJobId, aJobSet, aRecord } from '../testing/fixtures.js';
import { RedisJobSink } from './redis-sink.js';

const JOBS_PER_BUCKET = 40;
const RECORD = aRecord('FAILED', { failure: { reason: 'exit 7' }, run: { cluster: 'c' }, externalUri: 'u' });

let server: RedisServer;
let redis: RedisClient;
let sink: RedisJobSink;
let key: JobSetKey;
let lost: number[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  sink = new RedisJobSink(redis, {
    ttlSeconds: 1_000,
    onLost: (_, keys) => lost.push(keys),
    onKept: () => {},
    onUnreadable: () => {},
  });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(() => {
  key = aJobSet();
  lost = [];
});

const write = (writer: JobSetWriter, jobIds: readonly JobId[]): Promise<unknown> =>
  writer.write(aBatch('1:0:0:1', Object.fromEntries(jobIds.map((jobId) => [jobId, RECORD]))));

/** How many jobs are in each bucket, and how many of the keys that the meta counts there are. */
async function stored(): Promise<{ jobs: number[]; keys: number; keysCounted: number }> {
  const meta = await redis.hgetall(redis.ownKeys.metaKey(key));
  const generation = Generation(meta['generation'] ?? '');
  const buckets = Array.from({ length: Number(meta['buckets']) }, (_, bucket) =>
    redis.ownKeys.format({ kind: 'bucket', jobSet: key, generation, bucket }),
  );
  const others = (['failure-details', 'strings', 'uris'] as const).map((kind) =>
    redis.ownKeys.format({ kind, jobSet: key, generation }),
  );
  const exist = await Promise.all([...buckets, ...others].map((name) => redis.exists(name)));
  return {
    jobs: await Promise.all(buckets.map((name) => redis.hlen(name))),
    keys: exist.filter((one) => one === 1).length,
    keysCounted: Number(meta['keys']),
  };
}

describe('the buckets of a job set', () => {
  it('are as many as its jobs need, however these were written, and each job is in one of them', async () => {
    const writer = await sink.open(key);
    const jobIds = Array.from({ length: 5 * JOBS_PER_BUCKET + 1 }, aJobId);
    for (let at = 0; at < 5 * JOBS_PER_BUCKET; at += 25) await write(writer, jobIds.slice(at, at + 25));
    // What is replaced needs no more room.
    await write(writer, jobIds.slice(0, -1));
    expect((await stored()).jobs).toHaveLength(5);
    await write(writer, jobIds.slice(-1));
    const { jobs, keys, keysCounted } = await stored();
    expect(jobs).toHaveLength(6);
    expect(jobs.reduce((sum, some) => sum + some, 0)).toBe(jobIds.length);
    expect(keysCounted).toBe(keys);
  });

  it.each([
    ['none of whose jobs is moved', '00', [3 * JOBS_PER_BUCKET + 1, 0, 0, 0]],
    ['whose jobs are all moved', '01', [0, 3 * JOBS_PER_BUCKET + 1, 0, 0]],
  ])('are counted rightly when one is split %s: nothing is taken for lost', async (_, end, expected) => {
    // Armada's ids fall into buckets by their last bits.
    const jobIds = Array.from({ length: 3 * JOBS_PER_BUCKET + 1 }, () =>
      JobId(`01m85vnck01jqpr3${aJobId().slice(-8)}${end}`),
    );
    await write(await sink.open(key), jobIds);
    const { jobs, keys, keysCounted } = await stored();
    expect(jobs).toEqual(expected);
    expect(keysCounted).toBe(keys);
    expect((await (await sink.open(key)).load(jobIds)).size).toBe(jobIds.length);
    expect(lost).toEqual([]);
  });

  it('are counted rightly when one gets a job again after all of its jobs were moved', async () => {
    const jobIds = Array.from({ length: 3 * JOBS_PER_BUCKET + 1 }, (_, i) =>
      JobId(`01m85vnck01jqpr3${aJobId().slice(-8)}${i < 3 * JOBS_PER_BUCKET ? '01' : '00'}`),
    );
    await write(await sink.open(key), jobIds);
    const { jobs, keys, keysCounted } = await stored();
    expect(jobs).toEqual([1, 3 * JOBS_PER_BUCKET, 0, 0]);
    expect(keysCounted).toBe(keys);
  });

  it('can be split where more jobs are moved than Lua takes arguments', async () => {
    const writer = await sink.open(key);
    // All in bucket 0, until there are more than 128.
    const jobIds = Array.from({ length: 128 * JOBS_PER_BUCKET + 1 }, (_, i) =>
      JobId(`01m85vnck01jqpr3${i.toString(8).padStart(8, '0')}40`),
    );
    for (let at = 0; at < jobIds.length; at += 500) await write(writer, jobIds.slice(at, at + 500));
    const { jobs, keys, keysCounted } = await stored();
    expect([jobs.length, jobs[128]]).toEqual([129, jobIds.length]);
    expect(keysCounted).toBe(keys);
  });

  it('are looked through for unfinished jobs 25 at a time, and each of them once', async () => {
    const writer = await sink.open(key);
    const jobIds = Array.from({ length: 50 * JOBS_PER_BUCKET + 1 }, aJobId);
    await writer.write(
      aBatch('1:0:0:1', Object.fromEntries(jobIds.map((jobId) => [jobId, aRecord('RUNNING')]))),
    );
    const { jobs } = await stored();
    const parts: JobId[][] = [];
    for await (const some of writer.unfinishedJobs()) parts.push([...some.keys()]);
    const jobsOf = (from: number, to: number): number => jobs.slice(from, to).reduce((sum, one) => sum + one);
    expect(parts.map((some) => some.length)).toEqual([jobsOf(0, 25), jobsOf(25, 50), jobsOf(50, 51)]);
    expect(new Set(parts.flat())).toEqual(new Set(jobIds));
  });
});
