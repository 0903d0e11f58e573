import { RedisClusterServers, RedisServer, eventually, redisFlavours, type RedisFlavour } from '@ajs/testing';
import { describeStore } from '../testing/conformance.js';
import { aBatch, aJobId, aJobSet, aRecord, type StoreUnderTest } from '../testing/fixtures.js';
import { JobId, ArmadaTime, stateOfNumber, toMs, type JobSetKey, type JobState } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { withScripts } from '../scripts/scripts.js';
import { packJobId } from '../codec/job-id-codec.js';
import { STATE_BITS } from '../codec/record-layout.js';
import { parseStateCounts } from '../codec/state-counts.js';
import { Generation, RedisKeys } from '@ajs/redis-keys';
import {
  RedisProvisionalJobSink,
  RedisJobLister,
  RedisJobSetChanges,
  RedisJobSetLife,
  RedisJobSetLister,
  RedisJobSink,
  createRedisClient,
  redisErrorKind,
  type ClientRole,
  type RedisClient,
  type RedisTarget,
} from '../index.js';

const KEYS = new RedisKeys();

const TTL_SECONDS = 1_000;
const servers: { stop(): Promise<void> }[] = [];
const clients: RedisClient[] = [];

afterAll(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all(servers.map((server) => server.stop()));
});

function connect(target: RedisTarget, role: ClientRole): RedisClient {
  const client = createRedisClient(target, role, () => undefined);
  clients.push(client);
  return client;
}

async function storeAt(target: RedisTarget): Promise<StoreUnderTest> {
  const writer = connect(target, 'writer');
  const reader = connect(target, 'reader');
  await eventually('the reader is connected', () => reader.status === 'ready');
  const time = async (): Promise<number> => {
    const [seconds, micros] = (await writer.time()).map(Number);
    return (seconds ?? 0) * 1000 + (micros ?? 0) / 1000;
  };
  let kept = 0;
  return {
    sink: new RedisJobSink(writer, {
      ttlSeconds: TTL_SECONDS,
      owner: 'ingester-7',
      onLost: () => {},
      onKept: (_, jobs) => (kept += jobs),
      onUnreadable: () => {},
    }),
    kept: () => kept,
    lister: new RedisJobLister(reader),
    jobSets: new RedisJobSetLister(reader),
    owner: 'ingester-7',
    provisional: new RedisProvisionalJobSink(reader, TTL_SECONDS),
    life: new RedisJobSetLife(writer, TTL_SECONDS),
    changes: new RedisJobSetChanges(reader, connect(target, 'subscriber')),
    counts: async (key) => {
      const text = await writer.hget(KEYS.metaKey(key), 'counts');
      const counts: Partial<Record<JobState, number>> = {};
      for (const [kind, jobs] of parseStateCounts(text ?? '')) {
        counts[stateOfNumber(kind & STATE_BITS) ?? 'SUBMITTED'] = jobs;
      }
      return counts;
    },
    pass: async (ms) => {
      const until = (await time()) + ms;
      await eventually('time passes for Redis', async () => (await time()) > until);
    },
  };
}

async function single(flavour?: RedisFlavour): Promise<RedisTarget> {
  const server = await RedisServer.start([], { flavour });
  servers.push(server);
  return { kind: 'single', url: server.url };
}

async function cluster(): Promise<RedisTarget> {
  const cluster = await RedisClusterServers.start();
  servers.push(cluster);
  const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  return { kind: 'cluster', nodes, tls: false };
}

for (const flavour of await redisFlavours()) {
  describeStore(`Redis (${flavour})`, async () => storeAt(await single(flavour)));
}
describeStore('a Redis Cluster of three masters', async () => storeAt(await cluster()));

describe('Redis keys of a job set', () => {
  let redis: RedisClient;
  let lost: number[] = [];
  let sink: RedisJobSink;
  let lister: RedisJobLister;

  beforeAll(async () => {
    redis = connect(await single(), 'writer');
    sink = new RedisJobSink(redis, {
      ttlSeconds: TTL_SECONDS,
      onLost: (_, keys) => lost.push(keys),
      onKept: () => {},
      onUnreadable: () => {},
    });
    lister = new RedisJobLister(redis);
  });

  beforeEach(async () => {
    lost = [];
    await redis.flushall();
  });

  async function keys(pattern: string): Promise<string[]> {
    return (await redis.keys(pattern)).sort();
  }

  async function addProvisional(key: JobSetKey, externalUri: string | null = 'airflow://y'): Promise<void> {
    const jobId = aJobId();
    const provisional = new RedisProvisionalJobSink(redis, TTL_SECONDS);
    const failure = { reason: 'r' };
    await provisional.addProvisionalJobs(key, [
      {
        jobId,
        state: 'FAILED',
        changedAt: ArmadaTime(1),
        failure,
        ...(externalUri !== null && { externalUri }),
      },
    ]);
    await provisional.addEnrichment(key, new Map([[jobId, { error: 'e' }]]));
  }

  it("do not say that the job set is synced where that is dated in the future, from before Redis' clock was set back", async () => {
    const key = aJobSet();
    const writer = await sink.open(key);
    await writer.write(
      aBatch('', {}, { subscription: { state: 'live', reason: '', syncedAt: monotonicNow() } }),
    );
    const { now, subscription } = await lister.read(key, []);
    expect(subscription?.syncedAt).toBeDefined();
    await redis.hset(KEYS.metaKey(key), 'synced', toMs(now) + 3_600_000);
    expect((await lister.read(key, [])).subscription).toEqual({ state: 'live', reason: '' });
  });

  it('begin anew in another generation once a bucket is lost: a cursor without its records would lose jobs', async () => {
    const key = aJobSet();
    const jobId = aJobId();
    const writer = await sink.open(key);
    const subscription = {
      state: 'live',
      reason: 'r',
      syncedAt: monotonicNow(),
      nextReadAt: monotonicNow(),
    } as const;
    const ofJob = { [jobId]: aRecord('RUNNING', { run: { cluster: 'c' } }) };
    await writer.write(aBatch('1:0:0:1', ofJob, { subscription, reconciled: true }));
    const meta = KEYS.metaKey(key);
    const report = { state: 'RUNNING', at: ArmadaTime(Date.now()) } as const;
    await new RedisProvisionalJobSink(redis, TTL_SECONDS).report(key, new Map([[aJobId(), report]]));
    expect(await redis.hexists(meta, 'aheadSince')).toBe(1);
    // Submitted URIs and enrichment may be lost: that they are there says nothing of the bucket.
    await addProvisional(key);
    await redis.hset(meta, { interest: 1, renewed: 1, firstSeen: 1 });
    const generation = Generation((await redis.hget(meta, 'generation')) ?? '');
    await redis.del(KEYS.format({ kind: 'bucket', jobSet: key, generation, bucket: 0 }));

    const again = await sink.open(key);
    expect(lost).toEqual([1]);
    expect([again.cursor, again.reconciledAgoMs]).toEqual(['', undefined]);
    expect(await redis.hmget(meta, 'aheadSince', 'aheadUntil')).toEqual([null, null]);
    const view = await lister.read(key, [jobId]);
    expect([view.jobs.size, view.subscription]).toEqual([0, { state: 'connecting', reason: '' }]);
    expect(await new RedisJobSetLife(redis, TTL_SECONDS).unfinished(key)).toBeUndefined();
    // It was not polled by that, is as old as before, and all keys that there are have just been renewed.
    expect(await redis.hmget(meta, 'interest', 'firstSeen')).toEqual(['1', '1']);
    expect(Number(await redis.hget(meta, 'renewed'))).toBeGreaterThan(1);
    // What the strings of the other generation were is not what those of this one are.
    expect(await redis.hget(meta, 'generation')).not.toBe(generation);
    await again.write(aBatch('1:0:0:1', ofJob));
    expect((await lister.readDetails(key, [jobId])).jobs.get(jobId)?.record.run).toEqual({ cluster: 'c' });
    await expect(writer.write(aBatch('2:0:0:1', {}))).rejects.toThrow('another owner');
  });

  it('take no record in the place of one that was read, and that was deleted since', async () => {
    const [key, jobId] = [aJobSet(), aJobId()];
    const meta = KEYS.metaKey(key);
    const change = [packJobId(jobId), 'the record that was read', 'the record after it', '', Date.now()];
    const [, ...leftAlone] = await withScripts(redis).putRecords(
      meta,
      'generation',
      TTL_SECONDS,
      0,
      1,
      ...change,
    );
    expect(leftAlone).toEqual([0]);
    expect((await lister.read(key, [jobId])).jobs.size).toBe(0);
    // Nor does the stream lack what was not put.
    expect(await redis.hexists(meta, 'aheadSince')).toBe(0);
  });

  it('are not written by an owner that stands elsewhere, though Redis lost writes and others made it as many again', async () => {
    const key = aJobSet();
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', {}));
    // Redis went back to the beginning, and another owner wrote a heartbeat.
    await redis.hset(KEYS.metaKey(key), 'cursor', '');
    await expect(writer.write(aBatch('2:0:0:1', {}))).rejects.toThrow('another owner');
    expect((await sink.open(key)).cursor).toBe('');
  });

  it('all have a time to live, should every replica die', async () => {
    const key = aJobSet();
    const writer = await sink.open(key);
    const jobs = Object.fromEntries(
      Array.from({ length: 200 }, () => [
        aJobId(),
        aRecord('FAILED', { failure: { reason: 'r' }, externalUri: 'airflow://x', run: { cluster: 'c' } }),
      ]),
    );
    await writer.write(aBatch('1:0:0:1', jobs));
    await addProvisional(key);
    await addProvisional(aJobSet());
    await sink.open(aJobSet());
    // Whichever of the two makes the key of external URIs and enrichment.
    await (await sink.open(aJobSet())).write(aBatch('1:0:0:1', jobs));
    await addProvisional(aJobSet(), null);
    const names = await keys('*');
    expect(names.length).toBeGreaterThan(14);
    for (const name of names) expect([name, await redis.ttl(name)]).toEqual([name, expect.any(Number)]);
    for (const name of names) expect(await redis.ttl(name)).toBeGreaterThan(0);
  });

  it.each<[why: string, renew: (key: JobSetKey) => Promise<unknown>]>([
    [
      'is polled, even if its owner writes nothing',
      (key) => new RedisJobSetLife(redis, TTL_SECONDS).touch(key),
    ],
    ['is opened', (key) => sink.open(key)],
    ['is given provisional jobs', (key) => addProvisional(key)],
  ])('live on where the job set %s', async (_, renew) => {
    const key = aJobSet();
    const record = { failure: { reason: 'first run' }, run: { cluster: 'c' }, externalUri: 'airflow://x' };
    await (await sink.open(key)).write(aBatch('1:0:0:1', { [aJobId()]: aRecord('RUNNING', record) }));
    await addProvisional(key);
    const meta = KEYS.metaKey(key);
    const names = await keys(`${meta.slice(0, -'meta'.length)}*`.replace(/[[\]{}]/g, '?'));
    // Its meta, one bucket, failure details, strings, URIs, submitted URIs and enrichment.
    expect(names).toHaveLength(7);
    const soon = () => Promise.all(names.map((name) => redis.expire(name, 50)));

    const tenthOfTtlMs = TTL_SECONDS * 100;
    await redis.hset(meta, 'renewed', Date.now() - tenthOfTtlMs);
    await soon();
    await renew(key);
    for (const name of names) expect([name, await redis.ttl(name)]).toEqual([name, TTL_SECONDS]);
    expect(Number(await redis.hget(meta, 'renewed'))).toBeGreaterThan(Date.now() - tenthOfTtlMs / 2);
    // Not with every poll: that would cost a command a bucket.
    await redis.hset(meta, 'renewed', Date.now() - tenthOfTtlMs / 2);
    await soon();
    await new RedisJobSetLife(redis, TTL_SECONDS).touch(key);
    expect(await redis.ttl(meta)).toBe(TTL_SECONDS);
    expect(await redis.ttl(names.find((name) => name.endsWith(':r0')) ?? '')).toBeLessThanOrEqual(50);
  });

  it('name no owner where that has no name', async () => {
    const key = aJobSet();
    await sink.open(key);
    const [summary] = await new RedisJobSetLister(redis).describe([key]);
    expect(summary).not.toHaveProperty('owner');
  });

  it('are all removed with the job set', async () => {
    const key = aJobSet();
    const writer = await sink.open(key);
    const jobs = Object.fromEntries(Array.from({ length: 300 }, () => [aJobId(), aRecord('SUCCEEDED')]));
    await writer.write(aBatch('1:0:0:1', jobs));
    await addProvisional(key);
    expect(await new RedisJobSetLife(redis, TTL_SECONDS).remove(key, 0)).toBe(true);
    const tag = KEYS.metaKey(key).replace(/^.*(\{.*\}).*$/, '$1');
    expect((await keys('*')).filter((name) => name.includes(tag))).toEqual([]);
    expect((await lister.locate(Object.keys(jobs).map(JobId))).size).toBe(0);
  });

  it('of a job are located once and cached, for a while: then a job set that was deleted is forgotten', async () => {
    const [key, later, jobId] = [aJobSet(), aJobSet(), aJobId()];
    const provisional = new RedisProvisionalJobSink(redis, TTL_SECONDS);
    let now = 0;
    const caching = new RedisJobLister(redis, () => now);
    const locate = async () => (await caching.locate([jobId])).get(jobId);
    const job = { jobId, state: 'QUEUED', changedAt: ArmadaTime(1) } as const;
    expect(await locate()).toBeUndefined();
    await provisional.addProvisionalJobs(key, [job]);
    expect(await locate()).toEqual(key);
    await new RedisJobSetLife(redis, TTL_SECONDS).remove(key, 0);
    await provisional.addProvisionalJobs(later, [job]);
    expect(await locate()).toEqual(key);
    now = 600_000;
    expect(await locate()).toEqual(later);
  });

  it('of a job are located again once Armada has reported it, where the job index had lost the job', async () => {
    const [key, jobId] = [aJobSet(), aJobId()];
    const running = { [jobId]: aRecord('RUNNING') };
    await (await sink.open(key)).write(aBatch('1:0:0:1', running));
    await redis.del(...(await keys('ajs:index:*')));
    expect((await lister.locate([jobId])).size).toBe(0);
    const reports = new Map([[jobId, { state: 'RUNNING' } as const]]);
    await new RedisProvisionalJobSink(redis, TTL_SECONDS).report(key, reports);
    expect((await lister.locate([jobId])).get(jobId)).toEqual(key);
  });

  it('cannot be read while the server is down, which a reader hears at once', async () => {
    const server = await RedisServer.start();
    servers.push(server);
    const reader = connect({ kind: 'single', url: server.url }, 'reader');
    await eventually('connected', () => reader.status === 'ready');
    const lister = new RedisJobLister(reader);
    await server.kill();
    await expect(lister.read(aJobSet(), [aJobId()])).rejects.toThrow();
    await server.restart();
    await eventually('it heals by itself', async () => toMs((await lister.read(aJobSet(), [])).now) > 0);
  });

  it('are refused by a Redis that has reached maxmemory, which says so', async () => {
    const key = aJobSet();
    const sink = new RedisJobSink(redis, {
      ttlSeconds: 1_000,
      onLost: () => {},
      onKept: () => {},
      onUnreadable: () => {},
    });
    const writer = await sink.open(key);
    await redis.call('CONFIG', 'SET', 'maxmemory', '1mb');
    try {
      const refused = await writer.write(aBatch('1:0:0:1', {})).catch((error: unknown) => error);
      expect(redisErrorKind(refused)).toBe('write-refused');
      expect((await new RedisJobLister(redis).read(key, [])).subscription).toBeDefined();
    } finally {
      await redis.call('CONFIG', 'SET', 'maxmemory', '0');
    }
    await writer.write(aBatch('1:0:0:1', {}));
  });
});
