import { createRedisClient, isReady, type RedisClient } from '@ajs/job-store';
import { RedisServer } from '@ajs/testing';
import { SharedVerdicts } from './shared-verdicts.js';

let server: RedisServer;
let redis: RedisClient;
let verdicts: SharedVerdicts;
beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'work-queue', () => undefined);
  await isReady(redis);
  verdicts = new SharedVerdicts(redis, 'a secret');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const ALICE = 'Bearer token-of-alice';
const keys = (): Promise<string[]> => redis.keys('*');

it('a verdict is found by the same credential and queue, for as long as it is valid', async () => {
  await verdicts.share(ALICE, 'q', { verdict: 'yes', ttlMs: 60_000 });
  const found = await verdicts.find(ALICE, 'q');
  expect(found?.verdict).toBe('yes');
  expect(found?.ttlMs).toBeGreaterThan(0);
  expect(found?.ttlMs).toBeLessThanOrEqual(60_000);
  expect(await verdicts.find(ALICE, 'another')).toBeUndefined();
  expect(await verdicts.find('Bearer token-of-bob', 'q')).toBeUndefined();
  expect(await new SharedVerdicts(redis, 'another secret').find(ALICE, 'q')).toBeUndefined();
});

it('what has no end of its own, or is no verdict, is not believed', async () => {
  await verdicts.share(ALICE, 'q', { verdict: 'yes', ttlMs: 60_000 });
  for (const key of await keys()) await redis.persist(key);
  expect(await verdicts.find(ALICE, 'q')).toBeUndefined();
  for (const key of await keys()) await redis.set(key, 'perhaps', 'PX', 60_000);
  expect(await verdicts.find(ALICE, 'q')).toBeUndefined();
});

it('a credential that is bad is so for every queue', async () => {
  await verdicts.share('Bearer bad', undefined, { verdict: 'bad-credentials', ttlMs: 60_000 });
  expect((await verdicts.find('Bearer bad', 'q'))?.verdict).toBe('bad-credentials');
});
