import { JobId, ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import { packJobId } from '../codec/job-id-codec.js';
import { LAYOUT } from '../codec/record-layout.js';
import {
  NewerLayoutError,
  RedisJobLister,
  RedisJobSetLife,
  RedisJobSink,
  RedisProvisionalJobSink,
  createRedisClient,
  type RedisClient,
} from '../index.js';
import { aBatch, aJobId, aJobSet, aRecord } from '../testing/fixtures.js';
import { GOLDEN_RECORDS, JOB_ID } from '../testing/golden-records.js';

const TTL_SECONDS = 1_000;
/** A number that no state has today. */
const STATE_OF_TOMORROW = 13;

let server: RedisServer;
let redis: RedisClient;
let sink: RedisJobSink;
let lister: RedisJobLister;
let provisional: RedisProvisionalJobSink;
let life: RedisJobSetLife;
let key: JobSetKey;
let unreadable: string[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  sink = new RedisJobSink(redis, {
    ttlSeconds: TTL_SECONDS,
    onLost: () => {},
    onKept: () => {},
    onUnreadable: (_, jobId) => unreadable.push(jobId),
  });
  lister = new RedisJobLister(redis);
  provisional = new RedisProvisionalJobSink(redis, TTL_SECONDS);
  life = new RedisJobSetLife(redis, TTL_SECONDS);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(() => {
  key = aJobSet();
});

const metaKey = (): string => redis.ownKeys.metaKey(key);
const meta = (): Promise<Record<string, string>> => redis.hgetall(metaKey());

/** The key of the first bucket, which is the only one of a small job set. */
async function bucketKey(): Promise<string> {
  return redis.ownKeys.format({
    kind: 'bucket',
    jobSet: key,
    generation: Generation((await meta())['generation'] ?? ''),
    bucket: 0,
  });
}

async function storedRecord(jobId: JobId): Promise<Buffer> {
  const bytes = await redis.hgetBuffer(await bucketKey(), packJobId(jobId));
  if (bytes === null) throw new Error(`${jobId} has no record`);
  return bytes;
}

async function store(jobId: JobId, bytes: Buffer): Promise<void> {
  await redis.hset(await bucketKey(), packJobId(jobId), bytes);
}

async function writeJobs(records: Record<string, JobRecord>): Promise<void> {
  await (await sink.open(key)).write(aBatch('1:0:0:1', records));
}

/** The revision runs with Redis' clock, which is kept behind it here. */
async function writeAtRevision(revision: number, records: Record<string, JobRecord>): Promise<void> {
  await sink.open(key);
  await redis.hset(metaKey(), { revision: revision - 1, origin: Number.MAX_SAFE_INTEGER });
  await writeJobs(records);
}

/** Makes the job set what a newer version leaves behind, which heard of it last so long ago. */
async function makeNewer(jobId: JobId, heartbeatAgoMs: number): Promise<void> {
  const bytes = await storedRecord(jobId);
  bytes[0] = ((bytes[0] ?? 0) & 0xe0) | STATE_OF_TOMORROW;
  await store(jobId, bytes);
  const { counts = '', heartbeat } = await meta();
  // The one job of tomorrow's state was running.
  const ofTomorrow = counts.replace('4=1', `${STATE_OF_TOMORROW}=1`);
  expect(ofTomorrow).not.toBe(counts);
  await redis.hset(metaKey(), {
    layout: LAYOUT + 1,
    counts: ofTomorrow,
    heartbeat: Number(heartbeat) - heartbeatAgoMs,
  });
}

const stateOf = async (jobId: JobId) => (await lister.read(key, [jobId])).jobs.get(jobId)?.state;

describe('records as Redis has them', () => {
  it.each(GOLDEN_RECORDS)('are the golden bytes of today: $name', async ({ record, layout2 }) => {
    await writeAtRevision(300, { [JOB_ID]: record });
    expect((await storedRecord(JOB_ID)).toString('hex')).toBe(layout2.toString('hex'));
  });

  it.each([127, 128, 16_383, 16_384, 2_097_152])('have the revision of their write: %i', async (revision) => {
    const jobId = aJobId();
    await writeAtRevision(revision, { [jobId]: aRecord('RUNNING', { run: { cluster: 'c' } }) });
    expect((await lister.read(key, [jobId])).jobs.get(jobId)).toMatchObject({ state: 'RUNNING', revision });
  });
});

describe('a job set of layout 1', () => {
  const [running, failed, queued] = [aJobId(), aJobId(), aJobId()];
  const records = {
    [running]: aRecord('RUNNING', { run: { node: 'n-1', runningAt: ArmadaTime(1) } }),
    [failed]: aRecord('FAILED', { failure: { reason: 'exit 7' } }),
    [queued]: aRecord('QUEUED'),
  };

  beforeEach(async () => {
    await writeJobs(records);
    const { heartbeat = '', synced = '' } = await meta();
    for (const jobId of Object.keys(records).map(JobId)) {
      const bytes = await storedRecord(jobId);
      await store(jobId, Buffer.concat([Buffer.of((bytes[0] ?? 0) & ~0x20), bytes.subarray(2)]));
    }
    await redis.hset(metaKey(), { unfinished: 2, jobs: 3, contact: heartbeat, level: synced });
    await redis.hdel(metaKey(), 'layout', 'counts', 'heartbeat', 'synced');
  });

  it('is read, and said to have the jobs that it has', async () => {
    const { jobs } = await lister.readDetails(key, Object.keys(records).map(JobId));
    expect(Object.fromEntries(Array.from(jobs, ([jobId, { record }]) => [jobId, record]))).toEqual(records);
    expect((await lister.read(key, [running])).jobs.get(running)).toEqual({
      state: 'RUNNING',
      changedAt: records[running]?.changedAt,
      provisional: true,
    });
    expect(await life.unfinished(key)).toBe(2);
  });

  it('is written on in the layout of today, from its cursor: its records stay until they change', async () => {
    const writer = await sink.open(key);
    expect([writer.cursor, writer.unfinished]).toEqual(['1:0:0:1', 2]);
    expect(Object.fromEntries(await writer.load(Object.keys(records).map(JobId)))).toEqual(records);
    await writer.write(aBatch('2:0:0:1', { [queued]: aRecord('SUCCEEDED') }));
    const { jobs, subscription } = await lister.read(key, Object.keys(records).map(JobId));
    expect(Array.from(jobs.values(), ({ state, revision }) => [state, revision])).toEqual([
      ['RUNNING', undefined],
      ['FAILED', undefined],
      ['SUCCEEDED', expect.any(Number)],
    ]);
    expect(subscription?.state).toBe('live');
    expect(await life.unfinished(key)).toBe(1);
    expect(await meta()).toMatchObject({ layout: `${LAYOUT}` });
    expect(Object.keys(await meta())).not.toContain('contact');
  });

  it('is counted whole, whatever number of buckets it has', async () => {
    const jobIds = Array.from({ length: 200 }, aJobId);
    key = aJobSet();
    await writeJobs(Object.fromEntries(jobIds.map((jobId) => [jobId, aRecord('RUNNING')])));
    const { heartbeat = '', synced = '' } = await meta();
    await redis.hset(metaKey(), { unfinished: 200, jobs: 200, contact: heartbeat, level: synced });
    await redis.hdel(metaKey(), 'layout', 'counts', 'heartbeat', 'synced');
    expect((await sink.open(key)).unfinished).toBe(200);
  });

  it('takes reports before anything else of the layout of today is written', async () => {
    await provisional.report(key, new Map([[running, { state: 'CANCELLED' }]]));
    expect((await (await sink.open(key)).load([running])).get(running)).toEqual({
      ...records[running],
      state: 'CANCELLED',
      reported: {},
    });
    expect(await life.unfinished(key)).toBe(1);
  });

  it('keeps enrichment that has no line for the namespace yet when more is added', async () => {
    const generation = Generation((await meta())['generation'] ?? '');
    const enrichment = redis.ownKeys.format({ kind: 'enrichment', jobSet: key, generation });
    await redis.hset(enrichment, packJobId(failed), '\n["no longer wanted","u"]\n"exit 7"');
    await provisional.addEnrichment(key, new Map([[failed, { namespace: 'ns' }]]));
    expect((await lister.readDetails(key, [failed])).jobs.get(failed)?.enrichment).toEqual({
      cancellation: { reason: 'no longer wanted', user: 'u' },
      error: 'exit 7',
      namespace: 'ns',
    });
  });

  it.each(['\n\n"exit 7"', '\n\n"exit 7"\n'])(
    'keeps enrichment of %j, which has no line for the external URI yet, when the URI is learned',
    async (before) => {
      const generation = Generation((await meta())['generation'] ?? '');
      const enrichment = redis.ownKeys.format({ kind: 'enrichment', jobSet: key, generation });
      await redis.hset(enrichment, packJobId(failed), before);
      const job = {
        jobId: failed,
        state: 'QUEUED',
        changedAt: ArmadaTime(1),
        externalUri: 'airflow://x',
      } as const;
      await provisional.addProvisionalJobs(key, [job]);
      expect((await lister.readDetails(key, [failed])).jobs.get(failed)).toMatchObject({
        record: { ...records[failed], externalUri: 'airflow://x' },
        enrichment: { error: 'exit 7' },
      });
    },
  );

  it('takes provisional jobs before anything else of the layout of today is written', async () => {
    const { contact = '', level = '' } = await meta();
    const jobId = aJobId();
    await provisional.addProvisionalJobs(key, [{ jobId, state: 'QUEUED', changedAt: ArmadaTime(1) }]);
    expect(await life.unfinished(key)).toBe(3);
    const migrated = await meta();
    // Its owner may be of the version before.
    expect(migrated).toMatchObject({ layout: '2', heartbeat: contact, synced: level });
    for (const before of ['contact', 'level', 'unfinished', 'jobs'])
      expect(migrated).not.toHaveProperty(before);
    expect((await (await sink.open(key)).load([...Object.keys(records).map(JobId), jobId])).size).toBe(4);
  });
});

describe('the layout of a job set', () => {
  it('is that of today from when it is begun by its owner', async () => {
    await sink.open(key);
    expect(await meta()).toMatchObject({ layout: `${LAYOUT}` });
  });

  it('is that of its owner, and is not raised by provisional jobs and reports', async () => {
    const jobId = aJobId();
    await provisional.addProvisionalJobs(key, [{ jobId, state: 'QUEUED', changedAt: ArmadaTime(1) }]);
    expect(await meta()).toMatchObject({ layout: '0' });
    await writeJobs({});
    expect(await meta()).toMatchObject({ layout: `${LAYOUT}` });
    await redis.hset(metaKey(), { layout: LAYOUT - 1 });
    await provisional.addProvisionalJobs(key, [
      { jobId: aJobId(), state: 'QUEUED', changedAt: ArmadaTime(1) },
    ]);
    await provisional.report(key, new Map([[jobId, { state: 'CANCELLED' }]]));
    expect(await meta()).toMatchObject({
      layout: `${LAYOUT - 1}`,
      counts: expect.stringContaining('135=1') as string,
    });
  });
});

describe('a job set of today to which a newer query added a job in a state of tomorrow', () => {
  it('is written on by its owner: the stream makes the record anew, unless the job has ended', async () => {
    const [waiting, ended, neighbour] = [aJobId(), aJobId(), aJobId()];
    await writeJobs({
      [waiting]: aRecord('QUEUED'),
      [ended]: aRecord('FAILED'),
      [neighbour]: aRecord('QUEUED'),
    });
    for (const jobId of [waiting, ended]) {
      const bytes = await storedRecord(jobId);
      bytes[0] = ((bytes[0] ?? 0) & 0xe0) | STATE_OF_TOMORROW;
      await store(jobId, bytes);
    }
    unreadable = [];
    const writer = await sink.open(key);
    expect(Array.from((await writer.load([waiting, ended, neighbour])).keys())).toEqual([neighbour]);
    expect(unreadable).toEqual([waiting, ended]);
    const unfinished = [];
    for await (const some of writer.unfinishedJobs()) unfinished.push(...some.keys());
    expect(new Set(unfinished)).toEqual(new Set([waiting, neighbour]));
    await writer.write(aBatch('2:0:0:1', { [waiting]: aRecord('RUNNING'), [ended]: aRecord('RUNNING') }));
    const view = await lister.read(key, [waiting, ended]);
    expect([view.jobs.get(waiting)?.state, Array.from(view.unreadable.keys())]).toEqual(['RUNNING', [ended]]);
  });
});

describe('a job set of a newer layout', () => {
  const [newer, neighbour, ended] = [aJobId(), aJobId(), aJobId()];
  beforeEach(() =>
    writeJobs({ [newer]: aRecord('RUNNING'), [neighbour]: aRecord('QUEUED'), [ended]: aRecord('FAILED') }),
  );

  it('is read: a record in a state of tomorrow is unreadable by itself', async () => {
    await makeNewer(newer, 0);
    for (const view of [
      await lister.read(key, [newer, neighbour]),
      await lister.readDetails(key, [newer, neighbour]),
    ]) {
      expect(Array.from(view.jobs.keys())).toEqual([neighbour]);
      expect(Array.from(view.unreadable)).toEqual([
        [newer, expect.stringContaining(`state number ${STATE_OF_TOMORROW}`)],
      ]);
      expect(view.subscription?.state).toBe('live');
    }
    expect(await life.unfinished(key)).toBe(2);
  });

  it('may have more enrichment, which is ignored, and stays when today adds its own', async () => {
    const generation = Generation((await meta())['generation'] ?? '');
    const enrichment = redis.ownKeys.format({ kind: 'enrichment', jobSet: key, generation });
    const runs = '[1,"run",1,[4,"c","n",1,2,3,4],["earlier",[5,"c","n",1,0,0,2,"of tomorrow"]]]';
    await redis.hset(enrichment, packJobId(ended), `${runs}\n\n\n"ns"\n\n{"of":"tomorrow"}`);
    await provisional.addEnrichment(key, new Map([[ended, { error: 'exit 7' }]]));
    const { jobs } = await lister.readDetails(key, [ended]);
    expect(jobs.get(ended)?.enrichment).toEqual({
      runs: {
        number: 1,
        latest: {
          id: 'run',
          state: 4,
          cluster: 'c',
          node: 'n',
          leasedAt: 1,
          pendingAt: 2,
          runningAt: 3,
          endedAt: 4,
        },
        earlier: [{ id: 'earlier', state: 5, cluster: 'c', node: 'n', leasedAt: 1, endedAt: 2 }],
        isOver: true,
      },
      error: 'exit 7',
      namespace: 'ns',
    });
    await (
      await sink.open(key)
    ).write(aBatch('2:0:0:1', { [ended]: aRecord('FAILED', { externalUri: 'airflow://x' }) }));
    expect(await redis.hget(enrichment, packJobId(ended))).toBe(
      `${runs}\n\n"exit 7"\n"ns"\n"airflow://x"\n{"of":"tomorrow"}`,
    );
  });

  it('whose owner reports a state of tomorrow is connecting to a reader, who is given that state as the reason', async () => {
    await redis.hset(metaKey(), 'state', 'paused');
    expect((await lister.read(key, [])).subscription).toEqual({
      state: 'connecting',
      reason: 'a newer version of this service reports the state paused',
    });
  });

  it('is left to its owner, while that one writes or is to read it again', async () => {
    await makeNewer(newer, 0);
    const before = await meta();
    await expect(sink.open(key)).rejects.toThrow(NewerLayoutError);
    await redis.hset(metaKey(), { heartbeat: Number(before['heartbeat']) - 10_000 });
    await expect(sink.open(key)).rejects.toThrow(NewerLayoutError);
    await redis.hset(metaKey(), { heartbeat: 1, next: Number(before['heartbeat']) + 60_000 });
    await expect(sink.open(key)).rejects.toThrow(`layout ${LAYOUT + 1}`);
    expect(await meta()).toEqual({ ...before, heartbeat: '1', next: expect.any(String) as string });
  });

  it('makes its owner of today stale, who cannot take it up again', async () => {
    const writer = await sink.open(key);
    await makeNewer(newer, 0);
    await redis.hincrby(metaKey(), 'revision', 1);
    await expect(writer.write(aBatch('2:0:0:1', {}))).rejects.toThrow('written by another owner');
    await expect(writer.reload()).rejects.toThrow(NewerLayoutError);
  });

  it('stays of that layout when provisional jobs and reports of today are added', async () => {
    await makeNewer(newer, 0);
    const jobId = aJobId();
    await provisional.addProvisionalJobs(key, [{ jobId, state: 'QUEUED', changedAt: ArmadaTime(1) }]);
    const end = { state: 'CANCELLED' } as const;
    const held = await provisional.report(key, new Map([newer, neighbour].map((id) => [id, end])));
    expect(await meta()).toMatchObject({ layout: `${LAYOUT + 1}` });
    expect([await stateOf(jobId), await stateOf(neighbour)]).toEqual(['QUEUED', 'CANCELLED']);
    // A record that cannot be read stays as it is.
    expect([...held.keys()]).toEqual([neighbour]);
    expect((await lister.read(key, [newer])).unreadable.size).toBe(1);
    await expect(sink.open(key)).rejects.toThrow(NewerLayoutError);
  });

  it('whose owner is gone is taken over: read anew, without the records that cannot be read', async () => {
    await makeNewer(newer, 15_100);
    await redis.hset(metaKey(), { state: 'live', reason: 'r', synced: 1, next: 1 });
    const writer = await sink.open(key);
    expect([writer.cursor, writer.unfinished]).toEqual(['', 1]);
    expect(await meta()).toMatchObject({
      layout: `${LAYOUT}`,
      state: 'connecting',
      reason: '',
      synced: '',
      next: '',
      keys: '1',
    });
    const { jobs, unreadable, subscription } = await lister.read(key, [newer, neighbour, ended]);
    expect(Array.from(jobs.values(), ({ state }) => state)).toEqual(['QUEUED', 'FAILED']);
    expect([unreadable.size, subscription]).toEqual([0, { state: 'connecting', reason: '' }]);
    // The stream makes the job anew, and what has ended stays ended.
    await writer.write(aBatch('1:0:0:1', { [newer]: aRecord('RUNNING'), [ended]: aRecord('RUNNING') }));
    expect([await stateOf(newer), await stateOf(ended)]).toEqual(['RUNNING', 'FAILED']);
    expect((await sink.open(key)).unfinished).toBe(2);
  });

  it('whose only job cannot be read is taken over as a job set without jobs', async () => {
    key = aJobSet();
    await writeJobs({ [newer]: aRecord('RUNNING') });
    await makeNewer(newer, 15_100);
    const writer = await sink.open(key);
    expect(await life.unfinished(key)).toBeUndefined();
    await writer.write(aBatch('1:0:0:1', { [newer]: aRecord('SUCCEEDED') }));
    // Every key that meta counts is there: nothing is said to be lost.
    expect((await sink.open(key)).cursor).toBe('1:0:0:1');
  });
});
