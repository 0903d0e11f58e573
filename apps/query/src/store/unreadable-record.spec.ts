import { Cursor, JobId } from '@ajs/job-state';
import { JobState } from '@ajs/contracts/api/submit';
import {
  RedisJobLister,
  RedisJobSink,
  RedisProvisionalJobSink,
  createRedisClient,
  type RedisClient,
} from '@ajs/job-store';
import { Generation } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { CoalescedLister } from './coalesced-lister.js';
import { JobsApiHarness, KEY, jobRecord } from '../jobs-api/testing/jobs-api-harness.js';
import { JobStatusQuery } from '../legacy-api/job-status-query.js';
import { testCaller } from '../testing/test-caller.js';

const NEWER = JobId('01arz3ndektsv4rrffq69g5fav');
const NEIGHBOUR = JobId('01arz3ndektsv4rrffq69g5faw');
const TTL_SECONDS = 1_000;
const REASON = /a newer version of this service gave it state number 13/;

describe('a record in Redis with the state of a newer version', () => {
  let server: RedisServer;
  let redis: RedisClient;
  let lister: CoalescedLister;
  let reads: number;

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined);
    await eventually('Redis answers', () => redis.status === 'ready');
    const sink = new RedisJobSink(redis, {
      ttlSeconds: TTL_SECONDS,
      onLost: () => {},
      onKept: () => {},
      onUnreadable: () => {},
    });
    const writer = await sink.open(KEY);
    const write = (cursor: string, jobId: JobId): Promise<unknown> =>
      writer.write({
        cursor: Cursor(cursor),
        records: new Map([[jobId, jobRecord('RUNNING')]]),
        subscription: { state: 'live', reason: '' },
      });
    await write('1:0:0:1', NEWER);
    const generation = Generation((await redis.hget(redis.ownKeys.metaKey(KEY), 'generation')) ?? '');
    const bucket = redis.ownKeys.format({ kind: 'bucket', jobSet: KEY, generation, bucket: 0 });
    const [field = ''] = await redis.hkeysBuffer(bucket);
    const record = (await redis.hgetBuffer(bucket, field)) ?? Buffer.alloc(1);
    record[0] = 13;
    await redis.hset(bucket, field, record);
    await write('2:0:0:1', NEIGHBOUR);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  beforeEach(() => {
    reads = 0;
    const jobs = new RedisJobLister(redis);
    lister = new CoalescedLister(
      {
        read: (key, jobIds) => {
          reads++;
          return jobs.read(key, jobIds);
        },
        locate: (jobIds) => jobs.locate(jobIds),
        readDetails: (key, jobIds) => jobs.readDetails(key, jobIds),
        readUri: (key, uri) => jobs.readUri(key, uri),
      },
      () => undefined,
    );
  });

  it('is unresolved in the legacy API with the reason, while a poll in the same read is answered', async () => {
    const asksArmada = () => Promise.reject(new Error('it asks Armada'));
    const query = new JobStatusQuery({
      lister,
      noteInterest: () => undefined,
      refusalOf: () => undefined,
      requestRead: () => undefined,
      unreadableRecord: () => undefined,
      waitMs: 3_600_000,
      reportedJobs: { lookUp: asksArmada, lookUpAll: asksArmada },
      recorder: { settle: () => undefined },
      notFoundGraceMs: 0,
      provisionalGraceMs: 0,
      pause: () => Promise.reject(new Error('it waits')),
      waiting: (_, work) => work(),
    });
    const [newer, neighbour] = await Promise.all(
      [NEWER, NEIGHBOUR].map((jobId) => query.run(KEY, jobId, testCaller())),
    );
    expect(newer).toMatchObject({
      kind: 'unresolved',
      reason: expect.stringMatching(REASON) as string,
      subscription: { state: 'live' },
    });
    expect(neighbour).toMatchObject({ kind: 'resolved', status: { state: 'RUNNING' } });
    expect(reads).toBe(1);
  });

  it('is answered by Armada in api.Jobs, and stays as it is; its neighbour is answered from Redis', async () => {
    const h = new JobsApiHarness({ lister }, new RedisProvisionalJobSink(redis, TTL_SECONDS));
    h.armada.add(NEWER, { state: JobState.PREEMPTED });
    expect(await h.states(NEWER, NEIGHBOUR)).toEqual({
      [NEWER]: JobState.PREEMPTED,
      [NEIGHBOUR]: JobState.RUNNING,
    });
    expect(await h.details(NEWER)).toMatchObject({ state: JobState.PREEMPTED });
    expect(await h.details(NEIGHBOUR)).toMatchObject({ state: JobState.RUNNING });
    expect((await lister.read(KEY, [NEWER])).unreadable.get(NEWER)).toMatch(REASON);
  });

  it('makes a call of api.Jobs UNAVAILABLE with the reason where Armada does not know the job', async () => {
    const h = new JobsApiHarness({ lister });
    await expect(h.states(NEWER, NEIGHBOUR)).rejects.toMatchObject({
      details: expect.stringMatching(REASON) as string,
    });
    expect(await h.states(NEIGHBOUR)).toEqual({ [NEIGHBOUR]: JobState.RUNNING });
  });
});
