import { SettingsError, loadSettings, type Settings } from '@ajs/config';
import { JobState } from '@ajs/contracts/api/submit';
import { FakeArmada, RedisServer, armadaJob, freePort } from '@ajs/testing';
import { Redis } from 'ioredis';
import { checkConfig, checkTable, type Check } from './check-config.js';

let redis: RedisServer;
let armada: FakeArmada;
let armadaAddress: string;
beforeAll(async () => {
  redis = await RedisServer.start();
  armada = new FakeArmada();
  armadaAddress = await armada.listen('127.0.0.1:0');
});
afterAll(async () => {
  armada.stop();
  await redis.stop();
});
beforeEach(() => {
  armada.security.rules = undefined;
});

const SECRET = 'a-secret-of-redis';

function settingsWith(env: Readonly<Record<string, string>>): Settings {
  return loadSettings({
    argv: [],
    env: { ARMADA_URL: armadaAddress, REDIS_URL: redis.url, ...env },
  });
}

async function outcomes(
  env: Readonly<Record<string, string>> = {},
  app = 'ingester',
): Promise<Record<string, string>> {
  const checks = await checkConfig(app, settingsWith(env));
  return Object.fromEntries(checks.map(({ what, outcome }) => [what, outcome]));
}

async function found(
  what: string,
  env: Readonly<Record<string, string>> = {},
  app = 'ingester',
): Promise<string> {
  const checks = await checkConfig(app, settingsWith(env));
  return checks.find((check) => check.what === what)?.found ?? 'no such check';
}

it.each(['ingester', 'query'])('all is well where the %s can do its work', async (app) => {
  armada.state.queues.add('batch');
  expect(await outcomes({}, app)).toMatchObject({
    settings: 'ok',
    Redis: 'ok',
    'Redis rights': 'ok',
    'Redis writes': 'ok',
    Armada: 'ok',
  });
});

it('names the rights that the user of Redis lacks', async () => {
  const admin = new Redis(redis.url);
  await admin.call('ACL', 'SETUSER', 'poor', 'on', `>${SECRET}`, '~*', '&*', '+@all', '-hset');
  admin.disconnect();
  const env = { REDIS_URL: redis.url.replace('://', `://poor:${SECRET}@`) };
  expect(await outcomes(env)).toMatchObject({ Redis: 'ok', 'Redis rights': 'failed' });
  const text = await found('Redis rights', env);
  expect(text).toContain('+@hash');
  expect(text).not.toContain(SECRET);
});

it('tries the rights of the process that is to run', async () => {
  const admin = new Redis(redis.url);
  await admin.call('ACL', 'SETUSER', 'reader', 'on', `>${SECRET}`, '~*', '&*', '+@all', '-subscribe');
  admin.disconnect();
  const env = { REDIS_URL: redis.url.replace('://', `://reader:${SECRET}@`) };
  expect(await outcomes(env, 'query')).toMatchObject({ 'Redis rights': 'ok' });
  expect(await outcomes(env, 'ingester')).toMatchObject({ 'Redis rights': 'failed' });
});

it('leaves nothing in Redis that does not expire', async () => {
  const admin = new Redis(redis.url);
  await outcomes();
  const keys = await admin.keys('*');
  expect(keys.length).toBeGreaterThan(0);
  for (const key of keys) expect([key, await admin.pttl(key)]).not.toEqual([key, -1]);
  admin.disconnect();
});

it('says that Redis takes no writes', async () => {
  const admin = new Redis(redis.url);
  await admin.config('SET', 'maxmemory', '1');
  expect(await outcomes()).toMatchObject({ Redis: 'ok', 'Redis writes': 'failed' });
  expect(await found('Redis writes')).toMatch(/^OOM .* \(write-refused\); see docs\/redis\.md$/);
  await admin.config('SET', 'maxmemory', '0');
  admin.disconnect();
});

it('says why Redis is not reached, without the password', async () => {
  const wrong = { REDIS_URL: redis.url.replace('://', `://nobody:${SECRET}@`) };
  const away = { REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
  const [ofWrong, ofAway] = await Promise.all([found('Redis', wrong), found('Redis', away)]);
  expect(ofWrong).toMatch(/^WRONGPASS/);
  expect(ofWrong).not.toContain(SECRET);
  expect(ofAway).toContain('ECONNREFUSED');
  expect(await outcomes(away)).toMatchObject({ Redis: 'failed' });
});

it('warns of a Redis that may evict keys', async () => {
  const admin = new Redis(redis.url);
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  expect(await outcomes()).toMatchObject({ 'Redis eviction': 'warning' });
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
  expect(await outcomes()).toMatchObject({ 'Redis eviction': 'ok' });
  admin.disconnect();
});

it('names an Armada that does not answer', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  expect(await outcomes({ ARMADA_URL: address })).toMatchObject({ Redis: 'ok', Armada: 'failed' });
  expect(await found('Armada', { ARMADA_URL: address })).toContain(address);
});

it('says that Armada rejects the credentials', async () => {
  armada.security.rules = { basicUsers: {} };
  expect(await outcomes()).toMatchObject({ Armada: 'failed' });
});

it('names a queue that this service may not watch', async () => {
  armada.state.queues.add('batch');
  const job = armadaJob({ jobId: '01m85vnck01jqpr3vd00000001', queue: 'batch', jobSetId: 's' });
  armada.state.move(job, JobState.RUNNING, []);
  armada.security.rules = { anonymous: true };
  expect(await found('Armada rights')).toMatch(
    /^may watch 0 of 1 queues that have jobs, but not batch \(no\)/,
  );
});

it('contradictions among the settings of Armada are reported as at a start', async () => {
  const env = { ARMADACTL_CONFIG: '/there/is/no/such/file' };
  await expect(checkConfig('query', settingsWith(env))).rejects.toBeInstanceOf(SettingsError);
});

it('is printed as a table', () => {
  const checks: Check[] = [
    { what: 'Redis', outcome: 'ok', found: 'connected' },
    { what: 'Armada rights', outcome: 'failed', found: 'none' },
  ];
  expect(checkTable(checks)).toBe('ok       Redis          connected\nfailed   Armada rights  none\n');
});
