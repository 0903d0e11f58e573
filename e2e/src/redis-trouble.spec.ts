import { RedisClusterServers, RedisSentinelServers, RedisServer, eventually, jobEvents } from '@ajs/testing';
import { Redis } from 'ioredis';
import { Stack, poll, type Told } from './stack.js';
import { JOB, QUEUE, Traffic, key, ref } from './traffic.js';

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

let stack: Stack;
afterEach(() => stack.stop());

async function start(redis: { readonly url: string; stop(): Promise<void> }) {
  stack = await Stack.start({}, redis);
  stack.armada.state.queues.add(QUEUE);
  const ingester = await stack.ingester();
  const query = await stack.query();
  return { ingester, query };
}

const log = (set: number) => stack.armada.state.openLog(QUEUE, key(set).jobSetId);
const header = ({ trailers }: Told, name: string): string => String(trailers.get(name)[0] ?? '');
const freshness = (told: Told) => ({
  subscription: header(told, 'armada-job-set-subscription'),
  levelAt: Date.parse(header(told, 'armada-job-set-synced-at')),
});

describe('Redis that fails over while jobs move', () => {
  it.each([
    ['a cluster of which a master is killed', () => RedisClusterServers.start({ replicas: 1 })],
    ['a master behind Sentinel', () => RedisSentinelServers.start()],
  ] as const)(
    '%s: nothing is lost, and nothing goes back',
    async (_, startRedis) => {
      const servers = await startRedis();
      const { query } = await start(servers);
      const traffic = new Traffic(stack, query.client, 3, 10);
      traffic.begin();
      await traffic.look();
      for (let i = 0; i < 5; i++) traffic.move();
      await traffic.look();
      const master =
        servers instanceof RedisClusterServers ? await servers.masterOf('{ajs}') : await servers.master();
      traffic.redisMayBeAway = true;
      await master.kill();
      await traffic.toTheEnd(40_000);
    },
    120_000,
  );
});

describe('Redis that is away for 10 s', () => {
  it('costs no stream: each goes on as it is', async () => {
    const redis = await RedisServer.start(DURABLE);
    const { ingester, query } = await start(redis);
    for (let set = 0; set < 10; set++) log(set).append(jobEvents.running(ref(set, 0), JOB));
    for (let set = 0; set < 10; set++) {
      expect((await poll(query.client, key(set), ref(set, 0).jobId)).state).toBe('RUNNING');
    }
    await eventually('all are watched', () => stack.armada.events.watchesOpened === 10);
    await redis.kill();
    const killedAt = performance.now();
    for (let set = 0; set < 10; set++) log(set).append(jobEvents.succeeded(ref(set, 0)));
    await ingester.logged('stopped following a job set', ({ why }) => why === 'lost', 10_000);
    await eventually('10 s are over', () => performance.now() - killedAt > 10_000, 15_000);
    await redis.restart();
    for (let set = 0; set < 10; set++) {
      await eventually(
        'what happened meanwhile is told',
        async () => (await poll(query.client, key(set), ref(set, 0).jobId)).state === 'SUCCEEDED',
        20_000,
      );
    }
    expect(stack.armada.events.watchesOpened).toBe(10);
  }, 60_000);
});

describe('Redis that comes back', () => {
  it('empty is filled again from Armada at once, idle job sets too', async () => {
    const redis = await RedisServer.start(DURABLE);
    const { query } = await start(redis);
    for (let set = 0; set < 5; set++) {
      log(set).append(jobEvents.running(ref(set, 0), JOB));
      expect((await poll(query.client, key(set), ref(set, 0).jobId)).state).toBe('RUNNING');
    }
    await redis.restore();
    const told = new Set<string>();
    for (let set = 0; set < 5; set++) {
      await eventually('it is known again', async () => {
        const { state } = await poll(query.client, key(set), ref(set, 0).jobId);
        told.add(state);
        return state === 'RUNNING';
      });
    }
    // Until then nobody is told that there is no such job.
    told.delete('CONNECTION_ERR');
    expect(told).toEqual(new Set(['RUNNING']));
  }, 60_000);

  it('older than it was says how old its answers are, until it has caught up', async () => {
    const redis = await RedisServer.start(DURABLE);
    const { query } = await start(redis);
    const { jobId } = ref(0, 0);
    log(0).append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), jobId)).state).toBe('RUNNING');
    await redis.backUp();
    const backedUpAt = Date.now();
    log(0).append(jobEvents.succeeded(ref(0, 0)));
    log(1).append(jobEvents.running(ref(1, 0), JOB));
    await eventually(
      'it has ended',
      async () => (await poll(query.client, key(0), jobId)).state === 'SUCCEEDED',
    );
    expect((await poll(query.client, key(1), ref(1, 0).jobId)).state).toBe('RUNNING');
    await redis.restore();
    // One that has nothing in memory.
    const another = await stack.query();
    const before: Told[] = [];
    await eventually(
      'it has ended again',
      async () => {
        const told = await poll(another.client, key(0), jobId);
        if (told.state === 'SUCCEEDED') return true;
        before.push(told);
        return false;
      },
      20_000,
    );
    for (const told of before.filter(({ state }) => state !== 'CONNECTION_ERR')) {
      expect(told.state).toBe('RUNNING');
      expect(freshness(told).levelAt).toBeLessThanOrEqual(backedUpAt);
    }
    await eventually(
      'the job set that it knows nothing of is followed again',
      async () => (await poll(another.client, key(1), ref(1, 0).jobId)).state === 'RUNNING',
    );
    const now = freshness(await poll(another.client, key(1), ref(1, 0).jobId));
    expect(now.subscription).toBe('live');
  }, 60_000);
});

describe('Redis that is full', () => {
  it('is read on; the ingester says why nothing is written, and goes on when there is room', async () => {
    const redis = await RedisServer.start();
    const { ingester, query } = await start(redis);
    const ready = async (http: unknown) => fetch(`http://${String(http)}/readyz`);
    const { http } = await ingester.logged('health and metrics are served');
    log(0).append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    const admin = new Redis(redis.url);
    await admin.call('CONFIG', 'SET', 'maxmemory', '1mb');
    log(0).append(jobEvents.succeeded(ref(0, 0)));
    await ingester.logged('Redis has reached its maxmemory; it is tried again');
    const told = await ready(http);
    expect(told.status).toBe(503);
    expect(await told.json()).toMatchObject({
      checks: { redis: 'ok', redisMemory: expect.stringContaining('refuses writes') as string },
    });
    expect(await (await fetch(`http://${String(http)}/metrics`)).text()).toMatch(
      /redis_errors_total\{cause="write-refused"\} [1-9]/,
    );
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    expect((await fetch(`${query.http}/readyz`)).status).toBe(200);
    await admin.call('CONFIG', 'SET', 'maxmemory', '0');
    admin.disconnect();
    await eventually(
      'it is written',
      async () => (await poll(query.client, key(0), ref(0, 0).jobId)).state === 'SUCCEEDED',
      20_000,
    );
    expect((await ready(http)).status).toBe(200);
  }, 60_000);

  it('and would evict keys then is warned of at the start', async () => {
    const { ingester } = await start(await RedisServer.start(['--maxmemory-policy', 'allkeys-lru']));
    const { policies } = await ingester.logged(
      'Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
    );
    expect(policies).toEqual(['allkeys-lru']);
  }, 30_000);
});
