import { jest } from '@jest/globals';
import { addMs, toMs, type JobId, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { Generation, JOB_INDEX_GROUPS } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import type { Redis } from 'ioredis';
import { createRedisClient, type RedisClient } from '../client/redis-client.js';
import { packJobIds } from '../codec/job-id-codec.js';
import { StaleWriterError } from '../errors.js';
import type { Scripts } from '../scripts/scripts.js';
import { AT, LIVE, aBatch, aJobId, aJobSet, aRecord, queued } from '../testing/fixtures.js';
import { RedisJobSetLife } from './redis-life.js';
import { RedisJobLister } from './redis-lister.js';
import { RedisProvisionalJobSink } from './redis-provisional-sink.js';
import { RedisJobSink } from './redis-sink.js';

const TTL_SECONDS = 1_000;

let server: RedisServer;
let redis: RedisClient;
let sink: RedisJobSink;
let lister: RedisJobLister;
let key: JobSetKey;
let kept: number[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  sink = new RedisJobSink(redis, {
    ttlSeconds: TTL_SECONDS,
    onLost: () => {},
    onKept: (_, jobs) => kept.push(jobs),
    onUnreadable: () => {},
  });
  lister = new RedisJobLister(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(() => {
  key = aJobSet();
  kept = [];
});

/** Runs work while Redis takes no writes. */
async function whileFull<T>(work: () => Promise<T>): Promise<T> {
  await redis.config('SET', 'maxmemory', '1');
  try {
    return await work();
  } finally {
    await redis.config('SET', 'maxmemory', '0');
  }
}

/** Runs work while the job index takes no jobs. */
async function whileIndexIsBroken(work: () => Promise<unknown>): Promise<void> {
  const groups = JOB_INDEX_GROUPS.map((_, group) => redis.ownKeys.format({ kind: 'job-index', group }));
  for (const group of groups) await redis.set(group, 'no hash');
  try {
    await work();
  } finally {
    await redis.del(...groups);
  }
}

const onCluster = (cluster: string) => aRecord('RUNNING', { run: { cluster } });

async function clusterOf(jobId: JobId): Promise<string | undefined> {
  return (await lister.readDetails(key, [jobId])).jobs.get(jobId)?.record.run?.cluster;
}

describe('a batch', () => {
  it('is in the index of jobs before it is written: a crash between the two leaves no job that cannot be found', async () => {
    const [streamed, provisional] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    // The script fails, as where the process died before it.
    await redis.set(redis.ownKeys.metaKey(key), 'no hash');
    await expect(writer.write(aBatch('1:0:0:1', { [streamed]: aRecord('RUNNING') }))).rejects.toThrow(
      'WRONGTYPE',
    );
    const sinkOfOthers = new RedisProvisionalJobSink(redis, TTL_SECONDS);
    await expect(sinkOfOthers.addProvisionalJobs(key, [queued(provisional)])).rejects.toThrow('WRONGTYPE');
    const located = await lister.locate([streamed, provisional]);
    expect([located.get(streamed), located.get(provisional)]).toEqual([key, key]);
  });

  it('is sent together with its new jobs for the index, and behind them', async () => {
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [aJobId()]: aRecord('RUNNING') }));
    const { stream } = redis as Redis;
    const [writes, commands] = [jest.spyOn(stream, '_writev'), jest.spyOn(stream, 'write')];
    await writer.write(aBatch('2:0:0:1', { [aJobId()]: aRecord('RUNNING') }));
    expect(commands.mock.calls.map(([command]) => String(command))).toEqual([
      expect.stringContaining('ajs:index:'),
      expect.stringContaining('2:0:0:1'),
    ]);
    expect(writes).toHaveBeenCalledTimes(1);
    jest.restoreAllMocks();
  });

  it('of jobs that its writer has written before sends nothing to the index', async () => {
    const jobId = aJobId();
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('PENDING') }));
    const commands = jest.spyOn((redis as Redis).stream, 'write');
    await writer.write(aBatch('2:0:0:1', { [jobId]: aRecord('RUNNING') }));
    expect(commands).toHaveBeenCalledTimes(1);
    jest.restoreAllMocks();
  });

  it('leaves those of its jobs in memory that have not ended: hardly any event follows an end', async () => {
    const [running, ended] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [running]: aRecord('RUNNING'), [ended]: aRecord('SUCCEEDED') }));
    const reads = jest.spyOn(redis as RedisClient & Scripts, 'readJobsBuffer');
    expect((await writer.load([running])).size).toBe(1);
    expect(reads).not.toHaveBeenCalled();
    expect((await writer.load([ended])).size).toBe(1);
    expect(reads).toHaveBeenCalledTimes(1);
    jest.restoreAllMocks();
  });

  it('whose new jobs the index refused is the last one until the index has them', async () => {
    const [refused, next] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    const more = aBatch('2:0:0:1', { [next]: aRecord('RUNNING') });
    await whileIndexIsBroken(async () => {
      await writer.write(aBatch('1:0:0:1', { [refused]: aRecord('RUNNING') }));
      await expect(writer.write(more)).rejects.toThrow('WRONGTYPE');
      expect(writer.cursor).toBe('1:0:0:1');
    });
    await writer.write(more);
    const located = await lister.locate([refused, next]);
    expect([located.get(refused), located.get(next)]).toEqual([key, key]);
  });

  it('that Redis refused is written whole by the next try', async () => {
    const jobId = aJobId();
    const writer = await sink.open(key);
    const batch = aBatch('1:0:0:1', {
      [jobId]: aRecord('FAILED', { failure: { reason: 'exit 7' }, externalUri: 'airflow://x' }),
    });
    await expect(whileFull(() => writer.write(batch))).rejects.toThrow('OOM');
    expect([writer.cursor, writer.unfinished]).toEqual(['', 0]);
    expect((await lister.read(key, [jobId])).jobs.size).toBe(0);
    await writer.write(batch);
    const { jobs } = await lister.read(key, [jobId]);
    expect(jobs.get(jobId)?.failure).toEqual({ reason: 'exit 7' });
    expect((await lister.readUri(key, 'airflow://x')).annotated).toEqual([jobId]);
    expect((await lister.locate([jobId])).get(jobId)).toEqual(key);
  });

  it('that was refused takes back its strings: another owner may have given their numbers to others', async () => {
    const [ours, theirs] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    const other = await sink.open(key);
    await other.write(aBatch('', { [theirs]: onCluster('theirs') }));
    const batch = aBatch('', { [ours]: onCluster('ours') });
    await expect(writer.write(batch)).rejects.toThrow(StaleWriterError);
    expect(await writer.reload()).toBe(true);
    await writer.write(batch);
    expect([await clusterOf(ours), await clusterOf(theirs)]).toEqual(['ours', 'theirs']);
    const next = await sink.open(key);
    expect((await next.load([ours])).get(ours)?.run?.cluster).toBe('ours');
  });

  it('that was refused takes back its own strings alone', async () => {
    const [first, second] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [first]: onCluster('first') }));
    const batch = aBatch('2:0:0:1', { [second]: onCluster('second') });
    await expect(whileFull(() => writer.write(batch))).rejects.toThrow('OOM');
    await writer.write(batch);
    expect([await clusterOf(first), await clusterOf(second)]).toEqual(['first', 'second']);
  });

  it('leaves the 10,000 newest jobs of one external URI', async () => {
    const before = Array.from({ length: 9_999 }, aJobId);
    const [nearly, tooMany] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    const add = (jobId: JobId): Promise<unknown> =>
      writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING', { externalUri: 'u' }) }));
    await add(aJobId());
    const generation = await redis.hget(redis.ownKeys.metaKey(key), 'generation');
    const uris = redis.ownKeys.format({
      kind: 'uris',
      jobSet: key,
      generation: Generation(generation ?? ''),
    });
    await redis.hset(uris, 'u', packJobIds(before));
    await add(nearly);
    expect((await lister.readUri(key, 'u')).annotated).toEqual([...before, nearly]);
    await add(tooMany);
    expect((await lister.readUri(key, 'u')).annotated).toEqual([...before.slice(1), nearly, tooMany]);
  });

  it('that would have replaced terminal states says how many, and leaves none of it in memory', async () => {
    const [ended, alike, running] = [aJobId(), aJobId(), aJobId()];
    const write = (cursor: string, ofEnded: JobRecord, ofRunning: JobRecord): Promise<unknown> =>
      writer.write(aBatch(cursor, { [ended]: ofEnded, [alike]: ofEnded, [running]: ofRunning }));
    const writer = await sink.open(key);
    await write('1:0:0:1', aRecord('FAILED'), aRecord('RUNNING'));
    await write('2:0:0:1', aRecord('FAILED'), aRecord('RUNNING'));
    expect(kept).toEqual([]);
    await write('3:0:0:1', aRecord('RUNNING'), aRecord('SUCCEEDED'));
    expect(kept).toEqual([2]);
    const loaded = await writer.load([ended, alike, running]);
    expect([ended, alike, running].map((jobId) => loaded.get(jobId)?.state)).toEqual([
      'FAILED',
      'FAILED',
      'SUCCEEDED',
    ]);
  });
});

describe('a job set that was begun and not written', () => {
  it('has no records, and is not asked for any', async () => {
    const [first, second] = [aJobId(), aJobId()];
    const writer = await sink.open(key);
    const reads = jest.spyOn(redis as RedisClient & Scripts, 'readJobsBuffer');
    expect((await writer.load([first])).size).toBe(0);
    expect(reads).not.toHaveBeenCalled();
    await writer.write(aBatch('1:0:0:1', { [first]: aRecord('RUNNING') }));
    expect((await writer.load([first, second])).size).toBe(1);
    expect(reads).toHaveBeenCalledTimes(1);
    jest.restoreAllMocks();
  });

  it('is read once a query has added a job, before or after it was opened', async () => {
    const [before, after] = [aJobId(), aJobId()];
    const sinkOfOthers = new RedisProvisionalJobSink(redis, TTL_SECONDS);
    await sinkOfOthers.addProvisionalJobs(key, [queued(before)]);
    expect((await (await sink.open(key)).load([before])).has(before)).toBe(true);

    key = aJobSet();
    const writer = await sink.open(key);
    await sinkOfOthers.addProvisionalJobs(key, [queued(after, { submittedAt: AT })]);
    expect((await writer.load([after])).size).toBe(0);
    await expect(writer.write(aBatch('1:0:0:1', { [after]: aRecord('RUNNING') }))).rejects.toThrow(
      StaleWriterError,
    );
    expect(await writer.reload()).toBe(true);
    expect((await writer.load([after])).get(after)?.submittedAt).toBe(AT);
  });
});

describe('a heartbeat', () => {
  it('changes neither the number of unfinished jobs nor when the job set was reconciled', async () => {
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [aJobId()]: aRecord('RUNNING') }));
    await writer.write(aBatch('1:0:0:1', {}));
    expect(writer.unfinished).toBe(1);
    expect((await sink.open(key)).reconciledAgoMs).toBeUndefined();
  });

  it('shows that the job set is followed: without one it is stalled after 15 s', async () => {
    const writer = await sink.open(key);
    await writer.write(aBatch('', {}));
    const meta = redis.ownKeys.metaKey(key);
    const heartbeatAgo = async (ms: number): Promise<unknown> =>
      redis.hset(meta, 'heartbeat', toMs((await lister.read(key, [])).now) - ms);
    const state = async () => (await lister.read(key, [])).subscription?.state;
    await heartbeatAgo(14_000);
    expect(await state()).toBe('live');
    await heartbeatAgo(15_001);
    expect(await state()).toBe('stalled');
    await writer.write(aBatch('', {}));
    expect(await state()).toBe('live');
  });

  it('of a job set that waits for its next read ends that wait', async () => {
    const writer = await sink.open(key);
    const subscription = { ...LIVE, nextReadAt: addMs(monotonicNow(), 60_000) };
    await writer.write(aBatch('', {}, { subscription }));
    expect((await lister.read(key, [])).subscription?.nextReadAt).toBeDefined();
    await writer.write(aBatch('', {}));
    expect((await lister.read(key, [])).subscription?.nextReadAt).toBeUndefined();
  });
});

describe('a writer whose job set was deleted and begun anew', () => {
  it('reads nothing of the new one', async () => {
    const jobId = aJobId();
    const writer = await sink.open(key);
    await writer.write(aBatch('', {}));
    await new RedisJobSetLife(redis, TTL_SECONDS).remove(key, 0);
    await (await sink.open(key)).write(aBatch('', { [jobId]: aRecord('RUNNING') }));
    await expect(writer.load([jobId])).rejects.toThrow(StaleWriterError);
    const unfinished: JobId[] = [];
    for await (const some of writer.unfinishedJobs()) unfinished.push(...some.keys());
    expect(unfinished).toEqual([]);
  });
});
