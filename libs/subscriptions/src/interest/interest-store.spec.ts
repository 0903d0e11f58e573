import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
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
