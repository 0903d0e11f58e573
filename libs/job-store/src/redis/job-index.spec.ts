import { hash } from 'node:crypto';
import { addMs, type JobId, type JobSetKey } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { FORMER_JOB_INDEX_SHARDS, JOB_INDEX_GROUPS, jobSetTag, shardOf } from '@ajs/redis-keys';
import { RedisClusterServers, RedisServer, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { createRedisClient, type RedisClient } from '../index.js';
import { JOB_HASH_BYTES, withScripts } from '../scripts/scripts.js';
import { aBatch, aJobId, aJobSet, aRecord } from '../testing/fixtures.js';
import { JobIndex } from './job-index.js';
import { RedisJobSetLife } from './redis-life.js';
import { RedisJobLister } from './redis-lister.js';
import { RedisJobSink } from './redis-sink.js';

const TTL_SECONDS = 1_000;
/** Above it, with Redis' defaults, a hash takes several times the memory. */
const MOST_ENTRIES = 128;

const someJobs = (length: number): JobId[] => Array.from({ length }, aJobId);

/** Two job sets whose references begin at the same number. */
function twoWithOneReference(): [JobSetKey, JobSetKey] {
  const byReference = new Map<string, JobSetKey>();
  for (let i = 0; ; i++) {
    const key = { queue: 'q', jobSetId: `s-${i}` };
    const reference = hash('sha1', jobSetTag(key)).slice(0, 6);
    const before = byReference.get(reference);
    if (before !== undefined) return [before, key];
    byReference.set(reference, key);
  }
}

/** What clients send to a server meanwhile, without what scripts do and what the clients themselves need. */
async function commandsOf(url: string, act: () => Promise<unknown>): Promise<string[]> {
  const redis = new Redis(url);
  const monitor = await redis.monitor();
  try {
    const commands: string[] = [];
    let isOver = false;
    monitor.on('monitor', (_: string, [name = '', ...args]: string[], source: string) => {
      if (args[0] === 'the end') isOver = true;
      else if (source !== 'lua' && !/^(info|cluster|client)$/i.test(name))
        commands.push(name.toLowerCase().replace('evalsha', 'eval'));
    });
    await act();
    await redis.echo('the end');
    await eventually('all was seen', () => isOver);
    return commands;
  } finally {
    monitor.disconnect();
    redis.disconnect();
  }
}

describe('the job index', () => {
  let server: RedisServer;
  let redis: RedisClient;
  let index: JobIndex;
  let key: JobSetKey;

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  beforeEach(async () => {
    await redis.flushall();
    index = new JobIndex(redis);
    key = aJobSet();
  });

  const find = async (jobId: JobId) => (await index.find([jobId])).get(jobId);

  it('takes the jobs of a batch with one command, and finds a thousand with one', async () => {
    const jobIds = someJobs(1_000);
    expect(await commandsOf(server.url, () => index.add(key, jobIds, TTL_SECONDS))).toEqual(['eval']);
    let found: ReadonlyMap<JobId, JobSetKey> = new Map();
    const cold = new JobIndex(redis);
    const commands = await commandsOf(server.url, async () => (found = await cold.find(jobIds)));
    expect(commands).toEqual(['eval']);
    expect(found).toEqual(new Map(jobIds.map((jobId) => [jobId, key])));
  });

  it('gives all jobs of a job set the same key, whenever they are found', async () => {
    const jobIds = someJobs(100);
    await index.add(key, jobIds, TTL_SECONDS);
    const keys = new Set<JobSetKey | undefined>();
    for (const some of [jobIds.slice(0, 50), jobIds.slice(50)]) {
      for (const found of (await index.find(some)).values()) keys.add(found);
    }
    expect([...keys]).toEqual([key]);
  });

  it('keeps its hashes small, however many jobs and job sets there are, and nothing once they are removed', async () => {
    const jobSets = Array.from({ length: 150 }, aJobSet);
    const jobs = new Map(jobSets.map((each) => [each, someJobs(60)]));
    for (const [each, jobIds] of jobs) await index.add(each, jobIds, TTL_SECONDS);
    const names = await redis.keys('ajs:index:*');
    const hashes = names.filter((name) => redis.ownKeys.parse(name)?.kind !== 'job-index');
    expect(hashes.length).toBeGreaterThan(200);
    const sizes = await Promise.all(hashes.map((name) => redis.hlen(name)));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MOST_ENTRIES);
    expect(sizes.reduce((sum, size) => sum + size, 0) / hashes.length).toBeGreaterThan(25);
    for (const [each, jobIds] of jobs) {
      expect(new Set(Array.from((await index.find(jobIds)).values(), jobSetTag))).toEqual(
        new Set([jobSetTag(each)]),
      );
    }
    for (const [each, jobIds] of jobs) {
      await index.remove(each, jobIds, TTL_SECONDS);
      await index.removeJobSet(each, TTL_SECONDS);
    }
    const left = await redis.keys('ajs:index:*');
    expect(left.map((name) => redis.ownKeys.parse(name)?.kind)).toEqual(
      JOB_INDEX_GROUPS.map(() => 'job-index'),
    );
    for (const name of left) expect(await redis.hmget(name, 'jobs', 'sets')).toEqual(['0', '0']);
  });

  it('distinguishes job sets that would have the same reference', async () => {
    const [first, second] = twoWithOneReference();
    const [ofFirst, ofSecond] = [someJobs(200), someJobs(200)];
    await index.add(first, ofFirst, TTL_SECONDS);
    await index.add(second, ofSecond, TTL_SECONDS);
    const found = await index.find([...ofFirst, ...ofSecond]);
    expect(ofFirst.map((jobId) => found.get(jobId))).toEqual(ofFirst.map(() => first));
    expect(ofSecond.map((jobId) => found.get(jobId))).toEqual(ofSecond.map(() => second));
  });

  it('keeps a job set where it is once the one is removed that has the reference it would have had', async () => {
    const [first, second] = twoWithOneReference();
    const jobIds = someJobs(200);
    await index.add(first, someJobs(200), TTL_SECONDS);
    await index.add(second, jobIds, TTL_SECONDS);
    await index.removeJobSet(first, TTL_SECONDS);
    // They are its own, and not those of another.
    expect(await index.claim(second, jobIds, TTL_SECONDS)).toEqual(new Set());
    // The first one comes back to where it was.
    await index.add(first, someJobs(200), TTL_SECONDS);
    const metas = await redis.keys('ajs:index:*:meta');
    expect(await Promise.all(metas.map((meta) => redis.hget(meta, 'sets')))).toEqual(metas.map(() => '2'));
    await index.remove(second, jobIds, TTL_SECONDS);
    expect((await index.find(jobIds)).size).toBe(0);
  });

  it.each([
    ['in the order in which they came', [0, 1]],
    ['the other way round', [1, 0]],
  ])('has nothing left of job sets that would have the same reference, removed %s', async (_, order) => {
    const both = twoWithOneReference();
    for (const each of both) await index.add(each, someJobs(200), TTL_SECONDS);
    for (const i of order) await index.removeJobSet(both[i] ?? key, TTL_SECONDS);
    const metas = await redis.keys('ajs:index:*:meta');
    expect(metas).toHaveLength(JOB_INDEX_GROUPS.length);
    for (const meta of metas) expect(await redis.hget(meta, 'sets')).toBe('0');
  });

  it('gives the first reference behind the last one', async () => {
    const scripts = withScripts(redis);
    const meta = redis.ownKeys.format({ kind: 'job-index', group: 0 });
    const hashes = [Buffer.alloc(JOB_HASH_BYTES, 1), Buffer.alloc(JOB_HASH_BYTES, 2)];
    const last = Buffer.alloc(3, 0xff);
    for (const [i, tag] of ['q/a', 'q/b'].entries()) {
      await scripts.addToJobIndex(meta, 'HSET', tag, last, TTL_SECONDS, meta, hashes[i] ?? '');
    }
    const [, , ...tags] = await scripts.findInJobIndexBuffer(meta, meta, Buffer.concat(hashes));
    expect(tags.map(String)).toEqual(['q/a', 'q/b']);
    const sets = redis.ownKeys.format({ kind: 'job-index-sets', group: 0, bucket: 0 });
    expect(await redis.hgetBuffer(sets, Buffer.alloc(3))).toEqual(Buffer.from('q/b'));
  });

  it('lets a job go only from the job set that it is in', async () => {
    const [other, jobId] = [aJobSet(), aJobId()];
    await index.add(other, [jobId], TTL_SECONDS);
    await index.add(key, [jobId, aJobId()], TTL_SECONDS);
    await index.remove(other, [jobId], TTL_SECONDS);
    expect(await find(jobId)).toEqual(key);
  });

  describe('lives as long as anything is polled:', () => {
    let names: string[];
    const times = () => Promise.all(names.map((name) => redis.ttl(name)));
    const soonOver = () => Promise.all(names.map((name) => redis.expire(name, 50)));
    beforeEach(async () => {
      await index.add(key, someJobs(2_000), TTL_SECONDS);
      names = await redis.keys('ajs:index:*');
    });

    it('every key of it has its time anew', async () => {
      for (const ttl of await times()) expect(ttl).toBeGreaterThan(TTL_SECONDS - 100);
      await soonOver();
      await index.renew(TTL_SECONDS);
      for (const ttl of await times()) expect(ttl).toBeGreaterThan(TTL_SECONDS - 100);
    });

    it('not by each replica, and not with each poll', async () => {
      await index.renew(TTL_SECONDS);
      await soonOver();
      expect(await commandsOf(server.url, () => index.renew(TTL_SECONDS))).toEqual([]);
      await new JobIndex(redis).renew(TTL_SECONDS);
      for (const ttl of await times()) expect(ttl).toBeLessThanOrEqual(50);
    });

    it('each replica asks once an hour, and again where Redis did not answer', async () => {
      let now = monotonicNow();
      index = new JobIndex(redis, () => now);
      const renewals = () => commandsOf(server.url, () => index.renew(TTL_SECONDS).catch(() => undefined));
      const meta = redis.ownKeys.format({ kind: 'job-index', group: 0 });
      await redis.set(meta, 'of another type');
      const all = await renewals();
      expect(all.length).toBeGreaterThan(0);
      expect(await renewals()).toHaveLength(all.length);
      await redis.del(meta);
      await index.renew(TTL_SECONDS);
      now = addMs(now, 3_599_999);
      expect(await renewals()).toEqual([]);
      now = addMs(now, 1);
      expect(await renewals()).toHaveLength(all.length);
    });

    it('to touch a job set is to poll', async () => {
      await new RedisJobSetLife(redis, 2 * TTL_SECONDS).touch(key);
      for (const ttl of await times()) expect(ttl).toBeGreaterThan(TTL_SECONDS);
    });
  });

  describe('beside the one of the version before', () => {
    async function addAsBefore(jobSet: JobSetKey, jobId: JobId): Promise<void> {
      const reference = hash('sha1', jobSetTag(jobSet), 'buffer').subarray(0, 6);
      const shard = shardOf(jobId, FORMER_JOB_INDEX_SHARDS);
      await redis.hset(
        redis.ownKeys.format({ kind: 'former-job-index', shard }),
        hash('sha1', jobId, 'buffer').subarray(0, 6),
        reference,
      );
      const name = redis.ownKeys.format({
        kind: 'former-job-set-name',
        reference: reference.toString('hex'),
      });
      await redis.set(name, jobSetTag(jobSet), 'EX', TTL_SECONDS);
    }

    it('finds what that version wrote', async () => {
      const [older, newer] = [aJobId(), aJobId()];
      await addAsBefore(key, older);
      await index.add(key, [newer], TTL_SECONDS);
      expect(await index.find([older, newer, aJobId()])).toEqual(
        new Map([
          [newer, key],
          [older, key],
        ]),
      );
    });

    it('leaves a job to the job set in which that version has it', async () => {
      const [elsewhere, here] = [aJobId(), aJobId()];
      const other = aJobSet();
      await addAsBefore(other, elsewhere);
      await addAsBefore(key, here);
      expect(await index.claim(key, [elsewhere, here], TTL_SECONDS)).toEqual(new Set([elsewhere]));
      expect([await find(elsewhere), await find(here)]).toEqual([other, key]);
    });
  });
});

describe('the job index in Redis Cluster', () => {
  let cluster: RedisClusterServers;
  let redis: RedisClient;

  beforeAll(async () => {
    cluster = await RedisClusterServers.start();
    const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
    redis = createRedisClient({ kind: 'cluster', nodes, tls: false }, 'writer', () => undefined);
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
  });

  /** What each node is sent meanwhile. */
  async function commandsOfEach(act: () => Promise<unknown>): Promise<string[][]> {
    const each: string[][] = [];
    let watched = act;
    for (const { url } of cluster.servers) {
      const inner = watched;
      watched = async () => each.push(await commandsOf(url, inner));
    }
    await watched();
    return each;
  }

  it('lies evenly in its slots', async () => {
    for (const [group, { slot }] of JOB_INDEX_GROUPS.entries()) {
      const actual = await redis.cluster('KEYSLOT', redis.ownKeys.format({ kind: 'job-index', group }));
      expect([group, actual]).toEqual([group, slot]);
      const even = ((group + 0.5) * 16_384) / JOB_INDEX_GROUPS.length;
      expect(Math.abs(slot - even)).toBeLessThan(10);
    }
  });

  it('takes and finds jobs with one command a node', async () => {
    const [key, jobIds] = [aJobSet(), someJobs(1_000)];
    const index = new JobIndex(redis);
    await index.add(key, someJobs(100), TTL_SECONDS);
    await index.find(someJobs(100));
    const written = await commandsOfEach(() => index.add(key, jobIds, TTL_SECONDS));
    expect(written).toEqual([['eval'], ['eval'], ['eval']]);
    let found = 0;
    const read = await commandsOfEach(async () => (found = (await index.find(jobIds)).size));
    expect([found, read]).toEqual([1_000, [['eval'], ['eval'], ['eval']]]);
  });

  it('takes the new jobs of a batch before the batch is written: the nodes do not wait for each other', async () => {
    const [key, jobId] = [aJobSet(), aJobId()];
    const writer = await new RedisJobSink(redis, {
      ttlSeconds: TTL_SECONDS,
      onLost: () => {},
      onKept: () => {},
      onUnreadable: () => {},
    }).open(key);
    const groups = JOB_INDEX_GROUPS.map((_, group) => redis.ownKeys.format({ kind: 'job-index', group }));
    await Promise.all(groups.map((group) => redis.set(group, 'of another type')));
    const batch = aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING') });
    await expect(writer.write(batch)).rejects.toThrow('WRONGTYPE');
    const lister = new RedisJobLister(redis);
    expect((await lister.read(key, [jobId])).jobs.size).toBe(0);
    await Promise.all(groups.map((group) => redis.del(group)));
    await writer.write(batch);
    expect((await lister.read(key, [jobId])).jobs.size).toBe(1);
  });

  it('takes and finds jobs also while a group is moved, and when it has been', async () => {
    const [key, jobIds] = [aJobSet(), someJobs(1_000)];
    const index = new JobIndex(redis);
    await index.add(key, jobIds, TTL_SECONDS);
    const added: JobId[] = [];
    const writes: Promise<void>[] = [];
    // Until all of the group's keys are at the other node, what needs it waits.
    await cluster.move(redis.ownKeys.format({ kind: 'job-index', group: 2 }), () => {
      const some = someJobs(100);
      added.push(...some);
      writes.push(index.add(key, some, TTL_SECONDS));
      return index.find(jobIds.slice(0, 1));
    });
    await Promise.all(writes);
    expect(writes.length).toBeGreaterThan(2);
    const all = [...jobIds, ...added];
    expect((await index.find(all)).size).toBe(all.length);
    expect((await index.claim(aJobSet(), all, TTL_SECONDS)).size).toBe(all.length);
  });
});
