import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { interestShard, jobSetTag } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { InterestStore, type InterestEntry } from './interest-store.js';

let server: RedisServer;
let redis: RedisClient;
let interest: InterestStore;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  interest = new InterestStore(redis);
});
afterEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const jobSet = (n: number): JobSetKey => ({ queue: 'q', jobSetId: `s${n}` });

async function first(): Promise<InterestEntry | undefined> {
  for await (const [entry] of interest.all()) return entry;
  return undefined;
}

describe('the interest store', () => {
  it('returns when a job set was polled last, and every job set that was', async () => {
    expect(await interest.age(jobSet(1))).toBeUndefined();
    for (let n = 0; n < 100; n++) await interest.record(jobSet(n));
    expect(await interest.age(jobSet(1))).toBeLessThan(10_000);
    const all: string[] = [];
    for await (const page of interest.all()) all.push(...page.map(({ key }) => key.jobSetId));
    expect(new Set(all).size).toBe(100);
  });

  it('averages how often a job set is polled, over all that record it', async () => {
    const shard = redis.ownKeys.format({ kind: 'interest', shard: interestShard(jobSet(1)) });
    /** As if so much time had passed since the last record. */
    const pass = (ms: number): Promise<unknown> => redis.zincrby(shard, -ms, jobSetTag(jobSet(1)));
    const perMinute = async (): Promise<number> => (await interest.polls(jobSet(1)))?.perMinute ?? NaN;
    // Two queries, each of which hears 50 polls in ten seconds.
    for (let n = 0; n < 60; n++) {
      await interest.record(jobSet(1), 1_000, 50);
      await pass(5_000);
    }
    // 600, less what a slow machine adds to the five seconds.
    const steady = await perMinute();
    expect(steady).toBeGreaterThan(400);
    expect(steady).toBeLessThan(650);
    await pass(55_000);
    await interest.record(jobSet(1), 1_000, 1);
    expect((await perMinute()) / steady).toBeGreaterThan(0.4);
    expect((await perMinute()) / steady).toBeLessThan(0.55);
    expect(await interest.age(jobSet(1))).toBeLessThan(10_000);
  });

  it('averages the first poll as one of about a minute', async () => {
    await interest.record(jobSet(1), 1_000, 1);
    // The natural logarithm of 2, as far as the fraction of a score goes.
    expect((await interest.polls(jobSet(1)))?.perMinute).toBeCloseTo(0.69, 1);
  });

  it('adds to the average as of now where Redis’ clock was set back since the last poll', async () => {
    const shard = redis.ownKeys.format({ kind: 'interest', shard: interestShard(jobSet(1)) });
    const fifteenAMinute = Math.log2(1 + 15) / 128;
    await redis.zadd(shard, Date.now() + 3_600_000 + fifteenAMinute, jobSetTag(jobSet(1)));
    await interest.record(jobSet(1), 1_000, 1);
    const { perMinute, age } = (await interest.polls(jobSet(1))) ?? {};
    expect(perMinute).toBeCloseTo(15.7, 0);
    expect(age).toBeLessThan(10_000);
  });

  it.each([499, 500, 501, 1_000])('returns %d job sets of one shard in pages of 500', async (count) => {
    const shard = redis.ownKeys.format({ kind: 'interest', shard: 7 });
    await redis.zadd(shard, ...Array.from({ length: count }, (_, n) => [n, jobSetTag(jobSet(n))]).flat());
    const pages: number[] = [];
    const all = new Set<string>();
    for await (const page of interest.all()) {
      pages.push(page.length);
      for (const { key } of page) all.add(key.jobSetId);
    }
    expect([all.size, pages[0]]).toEqual([count, Math.min(count, 500)]);
    expect(pages).toHaveLength(Math.ceil(count / 500));
  });

  it('calls a job set quiet that was not polled for 30 s', async () => {
    const polledAgo = async (ms: number): Promise<string> => {
      const [seconds, micros] = (await redis.time()).map(Number);
      const at = (seconds ?? 0) * 1_000 + Math.floor((micros ?? 0) / 1_000) - ms;
      const shard = redis.ownKeys.format({ kind: 'interest', shard: interestShard(jobSet(1)) });
      await redis.zadd(shard, at, jobSetTag(jobSet(1)));
      return interest.record(jobSet(1));
    };
    expect(await polledAgo(20_000)).toBe('known');
    expect(await polledAgo(30_000)).toBe('quiet');
  });

  it('takes as many job sets as there may be, and refuses no poll of one that it has', async () => {
    const inOneShard = Array.from({ length: 200 }, (_, n) => jobSet(n)).filter(
      (key) => interestShard(key) === interestShard(jobSet(0)),
    );
    const results: string[] = [];
    for (const key of [...inOneShard.slice(0, 3), jobSet(0)]) results.push(await interest.record(key, 32));
    expect(results).toEqual(['new', 'new', 'refused', 'known']);
    await redis.flushall();
    // Fewer than there are shards.
    expect(await interest.record(jobSet(0), 1)).toBe('new');
  });

  it('forgets a job set, unless it was polled meanwhile', async () => {
    await interest.record(jobSet(1));
    const before = await first();
    if (before === undefined) throw new Error('no interest was recorded');
    await eventually('time passes', async () => ((await interest.age(jobSet(1))) ?? 0) > 2);
    await interest.record(jobSet(1));
    await interest.forget(before);
    const now = await first();
    expect(now).toBeDefined();
    if (now !== undefined) await interest.forget(now);
    expect(await interest.age(jobSet(1))).toBeUndefined();
  });
});
