import {
  RedisClusterServers,
  RedisSentinelServers,
  RedisServer,
  SURVIVES_KILL,
  eventually,
  jobEvents,
} from '@ajs/testing';
import { Redis } from 'ioredis';
import { Stack, poll, type LegacyAnswer } from './stack.js';
import { JOB, QUEUE, Traffic, key, ref } from './traffic.js';

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
const header = ({ trailers }: LegacyAnswer, name: string): string => String(trailers.get(name)[0] ?? '');
const freshness = (answer: LegacyAnswer) => ({
  subscription: header(answer, 'armada-job-set-subscription'),
  syncedAt: Date.parse(header(answer, 'armada-job-set-synced-at')),
});

describe('when Redis fails over while jobs move', () => {
  it.each([
    ['a cluster whose master is killed', () => RedisClusterServers.start({ replicas: 1 })],
    ['a master behind Sentinel that is killed', () => RedisSentinelServers.start()],
  ] as const)(
    '%s loses nothing and takes no state back',
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
      traffic.redisMayBeUnavailable = true;
      await master.kill();
      await traffic.toTheEnd(40_000);
    },
    120_000,
  );
});

describe('when Redis is unavailable for 10 s', () => {
  it('open streams are kept', async () => {
    const redis = await RedisServer.start(SURVIVES_KILL);
    const { ingester, query } = await start(redis);
    for (let set = 0; set < 10; set++) log(set).append(jobEvents.running(ref(set, 0), JOB));
    for (let set = 0; set < 10; set++) {
      expect((await poll(query.client, key(set), ref(set, 0).jobId)).state).toBe('RUNNING');
    }
    await eventually('all are watched', () => stack.armada.events.watchesOpened === 10);
    await redis.kill();
    const killedAt = performance.now();
    for (let set = 0; set < 10; set++) log(set).append(jobEvents.succeeded(ref(set, 0)));
    await ingester.logged('stopped following a job set', ({ reason }) => reason === 'lease-lost', 10_000);
    await eventually('10 s are over', () => performance.now() - killedAt > 10_000, 15_000);
    await redis.restart();
    for (let set = 0; set < 10; set++) {
      await eventually(
        'the event in the meantime is answered',
        async () => (await poll(query.client, key(set), ref(set, 0).jobId)).state === 'SUCCEEDED',
        20_000,
      );
    }
    expect(stack.armada.events.watchesOpened).toBe(10);
  }, 60_000);
});

describe('when Redis comes back with less than it had', () => {
  it('job sets are read again from Armada at once, idle ones too', async () => {
    const redis = await RedisServer.start(SURVIVES_KILL);
    const { query } = await start(redis);
    for (let set = 0; set < 5; set++) {
      log(set).append(jobEvents.running(ref(set, 0), JOB));
      expect((await poll(query.client, key(set), ref(set, 0).jobId)).state).toBe('RUNNING');
    }
    await redis.restore();
    const states = new Set<string>();
    for (let set = 0; set < 5; set++) {
      await eventually('the job is running again', async () => {
        const { state } = await poll(query.client, key(set), ref(set, 0).jobId);
        states.add(state);
        return state === 'RUNNING';
      });
    }
    // Until then no job is reported as not found.
    states.delete('CONNECTION_ERR');
    expect(states).toEqual(new Set(['RUNNING']));
  }, 60_000);

  it('answers show how old they are until Redis has caught up', async () => {
    const redis = await RedisServer.start(SURVIVES_KILL);
    const { query } = await start(redis);
    const { jobId } = ref(0, 0);
    log(0).append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), jobId)).state).toBe('RUNNING');
    await redis.backUp();
    const backedUpAt = Date.now();
    log(0).append(jobEvents.succeeded(ref(0, 0)));
    log(1).append(jobEvents.running(ref(1, 0), JOB));
    await eventually(
      'the job has succeeded',
      async () => (await poll(query.client, key(0), jobId)).state === 'SUCCEEDED',
    );
    expect((await poll(query.client, key(1), ref(1, 0).jobId)).state).toBe('RUNNING');
    await redis.restore();
    // A query with nothing in memory.
    const another = await stack.query();
    const before: LegacyAnswer[] = [];
    await eventually(
      'the job has succeeded again',
      async () => {
        const answer = await poll(another.client, key(0), jobId);
        if (answer.state === 'SUCCEEDED') return true;
        before.push(answer);
        return false;
      },
      20_000,
    );
    for (const answer of before.filter(({ state }) => state !== 'CONNECTION_ERR')) {
      expect(answer.state).toBe('RUNNING');
      expect(freshness(answer).syncedAt).toBeLessThanOrEqual(backedUpAt);
    }
    await eventually(
      'the job set that Redis lost is followed again',
      async () => (await poll(another.client, key(1), ref(1, 0).jobId)).state === 'RUNNING',
    );
    const now = freshness(await poll(another.client, key(1), ref(1, 0).jobId));
    expect(now.subscription).toBe('live');
  }, 60_000);
});

async function call(admin: Redis, text: string): Promise<void> {
  const [command = '', ...args] = text.split(' ');
  await admin.call(command, ...args);
}

describe('when Redis refuses writes', () => {
  it.each([
    ['out-of-memory', /maxmemory/, 'CONFIG SET maxmemory 1mb', 'CONFIG SET maxmemory 0'],
    ['read-only', /read-only replica/, 'REPLICAOF 127.0.0.1 1', 'REPLICAOF NO ONE'],
  ] as const)(
    '(%s) states are still answered; the ingester says why it cannot write, and resumes once it can',
    async (reason, text, refuse, heal) => {
      const redis = await RedisServer.start();
      const { ingester, query } = await start(redis);
      const { http } = await ingester.logged('health and metrics are served');
      const ingesterIsReady = async () => (await fetch(`http://${String(http)}/readyz`)).status === 200;
      log(0).append(jobEvents.running(ref(0, 0), JOB));
      expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
      await eventually('the ingester is ready', ingesterIsReady);
      const admin = new Redis(redis.url);
      const refusals = () => ingester.logs.filter((line) => line['reason'] === reason);
      await call(admin, refuse);
      log(0).append(jobEvents.succeeded(ref(0, 0)));
      await eventually('the refusal is logged', () => refusals().length > 0);
      const response = await fetch(`http://${String(http)}/readyz`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        checks: { redisWrites: expect.stringMatching(text) as string },
      });
      const metrics = await (await fetch(`http://${String(http)}/metrics`)).text();
      expect(metrics).toMatch(/redis_errors_total\{cause="write-refused"\} [1-9]/);
      expect(metrics).toContain(`redis_writes_refused{reason="${reason}"} 1`);
      // Beyond the first replacements of a read-only connection.
      const until = performance.now() + 5_000;
      const answers = new Set<string>();
      let unready = 0;
      let polls = 0;
      while (performance.now() < until) {
        answers.add((await poll(query.client, key(0), ref(0, 0).jobId)).state);
        if ((await fetch(`${query.http}/readyz`)).status !== 200) unready++;
        polls++;
      }
      answers.delete('CONNECTION_ERR');
      expect(answers).toEqual(new Set(['RUNNING']));
      expect(unready).toBeLessThan(polls / 10);
      for (const { logs } of [ingester, query.app]) {
        expect(logs.filter(({ msg }) => msg.includes('Redis is unavailable'))).toEqual([]);
        expect(logs.filter((line) => line['reason'] === reason).length).toBeLessThanOrEqual(1);
      }
      await call(admin, heal);
      admin.disconnect();
      await eventually(
        'the event is written',
        async () => (await poll(query.client, key(0), ref(0, 0).jobId)).state === 'SUCCEEDED',
        20_000,
      );
      await eventually('the ingester is ready again', ingesterIsReady);
      expect(refusals().map(({ msg }) => msg)).toEqual([
        expect.stringMatching(text),
        'Redis takes writes again',
      ]);
    },
    60_000,
  );
});

describe('when Redis starts', () => {
  it('an eviction policy that would remove keys is warned of', async () => {
    const { ingester } = await start(await RedisServer.start(['--maxmemory-policy', 'allkeys-lru']));
    const { policies } = await ingester.logged(
      'Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
    );
    expect(policies).toEqual(['allkeys-lru']);
  }, 30_000);
});
