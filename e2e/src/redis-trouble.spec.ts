import {
  RedisClusterServers,
  RedisSentinelServers,
  RedisServer,
  SURVIVES_KILL,
  jobEvents,
} from '@ajs/testing';
import type { Redis } from 'ioredis';
import { adminOf } from './admin-of.js';
import type { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { poll, type LegacyAnswer, type RunningQuery, type Stack } from './stack.js';
import { JOB, QUEUE, Traffic, isInState, key, ref, withStack } from './traffic.js';

/** Every wait has a deadline of its own; this leaves a busy machine time for three tests at once. */
const PATIENCE_MS = 240_000;
/** So many that a few that met the replacement of a connection do not count. */
const LEAST_POLLS = 100;

interface Running {
  readonly stack: Stack;
  readonly ingester: AppProcess;
  readonly query: RunningQuery;
  /** The events of a job set. */
  readonly log: (set: number) => ReturnType<Stack['armada']['state']['openLog']>;
}

async function withBoth(
  redis: { readonly url: string; stop(): Promise<void> },
  use: (running: Running) => Promise<void>,
): Promise<void> {
  const withIt = async (stack: Stack): Promise<void> => {
    const log = (set: number) => stack.armada.state.openLog(QUEUE, key(set).jobSetId);
    await use({ stack, ingester: await stack.ingester(), query: await stack.query(), log });
  };
  // It is the next poll that has a job set followed that Redis has lost.
  await withStack(redis, withIt, { FIRST_POLL_WAIT: '5s' });
}

const header = ({ trailers }: LegacyAnswer, name: string): string => String(trailers.get(name)[0] ?? '');
const freshness = (answer: LegacyAnswer) => ({
  subscription: header(answer, 'armada-job-set-subscription'),
  syncedAt: Date.parse(header(answer, 'armada-job-set-synced-at')),
});

async function call(admin: Redis, text: string): Promise<void> {
  const [command = '', ...args] = text.split(' ');
  await admin.call(command, ...args);
}

// Each has a Redis, an Armada and processes of its own, which wait most of the time.
describe('when Redis', () => {
  it.concurrent.each([
    ['a cluster whose master is killed', () => RedisClusterServers.start({ replicas: 1 })],
    ['a master behind Sentinel that is killed', () => RedisSentinelServers.start()],
  ] as const)(
    'fails over while jobs move: %s loses nothing and takes no state back',
    async (_, startRedis) => {
      const servers = await startRedis();
      await withBoth(servers, async ({ stack, query }) => {
        const traffic = new Traffic(stack, query.client, 3, 10);
        traffic.begin();
        await traffic.look();
        for (let i = 0; i < 5; i++) traffic.move();
        await traffic.look();
        const master =
          servers instanceof RedisClusterServers ? await servers.masterOf('{ajs}') : await servers.master();
        traffic.redisMayBeUnavailable = true;
        await master.kill();
        await traffic.toTheEnd();
      });
    },
    PATIENCE_MS,
  );

  it.concurrent(
    'is unavailable for 10 s, open streams are kept',
    async () => {
      const redis = await RedisServer.start(SURVIVES_KILL);
      await withBoth(redis, async ({ ingester, query, stack, log }) => {
        for (let set = 0; set < 10; set++) log(set).append(jobEvents.running(ref(set, 0), JOB));
        for (let set = 0; set < 10; set++) {
          await isInState(query, 'RUNNING', set);
        }
        const { events } = stack.armada;
        await patiently('all are watched', () => events.watches === 10);
        const opened = events.watchesOpened;
        await redis.kill();
        const killedAt = performance.now();
        for (let set = 0; set < 10; set++) log(set).append(jobEvents.succeeded(ref(set, 0)));
        await ingester.logged('stopped following a job set', ({ reason }) => reason === 'lease-lost');
        await patiently('10 s are over', () => performance.now() - killedAt > 10_000);
        await redis.restart();
        for (let set = 0; set < 10; set++) {
          await patiently(
            'the event in the meantime is answered',
            async () => (await poll(query.client, key(set), ref(set, 0).jobId)).state === 'SUCCEEDED',
          );
        }
        expect(events.watchesOpened).toBe(opened);
      });
    },
    PATIENCE_MS,
  );

  it.concurrent(
    'comes back with less than it had, job sets are read again from Armada at once, idle ones too',
    async () => {
      const redis = await RedisServer.start(SURVIVES_KILL);
      await withBoth(redis, async ({ query, log }) => {
        for (let set = 0; set < 5; set++) {
          log(set).append(jobEvents.running(ref(set, 0), JOB));
          await isInState(query, 'RUNNING', set);
        }
        await redis.restore();
        const states = new Set<string>();
        for (let set = 0; set < 5; set++) {
          await patiently('the job is running again', async () => {
            const { state } = await poll(query.client, key(set), ref(set, 0).jobId);
            states.add(state);
            return state === 'RUNNING';
          });
        }
        // Until then no job is reported as not found.
        states.delete('CONNECTION_ERR');
        expect(states).toEqual(new Set(['RUNNING']));
      });
    },
    PATIENCE_MS,
  );

  it.concurrent(
    'comes back with less than it had, answers show how old they are until it has caught up',
    async () => {
      const redis = await RedisServer.start(SURVIVES_KILL);
      await withBoth(redis, async ({ query, stack, log }) => {
        const { jobId } = ref(0, 0);
        log(0).append(jobEvents.running(ref(0, 0), JOB));
        await isInState(query, 'RUNNING');
        await redis.backUp();
        const backedUpAt = Date.now();
        log(0).append(jobEvents.succeeded(ref(0, 0)));
        log(1).append(jobEvents.running(ref(1, 0), JOB));
        await patiently(
          'the job has succeeded',
          async () => (await poll(query.client, key(0), jobId)).state === 'SUCCEEDED',
        );
        await isInState(query, 'RUNNING', 1);
        await redis.restore();
        // A query with nothing in memory.
        const another = await stack.query();
        const before: LegacyAnswer[] = [];
        await patiently('the job has succeeded again', async () => {
          const answer = await poll(another.client, key(0), jobId);
          if (answer.state === 'SUCCEEDED') return true;
          before.push(answer);
          return false;
        });
        for (const answer of before.filter(({ state }) => state !== 'CONNECTION_ERR')) {
          expect(answer.state).toBe('RUNNING');
          expect(freshness(answer).syncedAt).toBeLessThanOrEqual(backedUpAt);
        }
        await patiently(
          'the job set that Redis lost is followed again',
          async () => (await poll(another.client, key(1), ref(1, 0).jobId)).state === 'RUNNING',
        );
        await patiently('it is live', async () => {
          const { subscription } = freshness(await poll(another.client, key(1), ref(1, 0).jobId));
          return subscription === 'live';
        });
      });
    },
    PATIENCE_MS,
  );

  it.concurrent.each([
    ['out-of-memory', /maxmemory/, 'CONFIG SET maxmemory 1mb', 'CONFIG SET maxmemory 0'],
    ['read-only', /read-only replica/, 'REPLICAOF 127.0.0.1 1', 'REPLICAOF NO ONE'],
  ] as const)(
    'refuses writes (%s), states are still answered; the ingester says why it cannot write, and resumes once it can',
    async (reason, text, refuse, heal) => {
      const redis = await RedisServer.start();
      await withBoth(redis, async ({ ingester, query, log }) => {
        const { http } = await ingester.logged('health and metrics are served');
        const ingesterIsReady = async () => (await fetch(`http://${String(http)}/readyz`)).status === 200;
        log(0).append(jobEvents.running(ref(0, 0), JOB));
        await isInState(query, 'RUNNING');
        await patiently('the ingester is ready', ingesterIsReady);
        const admin = adminOf(redis.url);
        const refusals = () => ingester.logs.filter((line) => line['reason'] === reason);
        await call(admin, refuse);
        log(0).append(jobEvents.succeeded(ref(0, 0)));
        await patiently('the refusal is logged', () => refusals().length > 0);
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
        for (; performance.now() < until || polls < LEAST_POLLS; polls++) {
          answers.add((await poll(query.client, key(0), ref(0, 0).jobId)).state);
          if ((await fetch(`${query.http}/readyz`)).status !== 200) unready++;
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
        await patiently(
          'the event is written',
          async () => (await poll(query.client, key(0), ref(0, 0).jobId)).state === 'SUCCEEDED',
        );
        await patiently('the ingester is ready again', ingesterIsReady);
        expect(refusals().map(({ msg }) => msg)).toEqual([
          expect.stringMatching(text),
          'Redis takes writes again',
        ]);
      });
    },
    PATIENCE_MS,
  );

  it.concurrent(
    'may remove keys by its eviction policy, a warning says so',
    async () => {
      await withBoth(await RedisServer.start(['--maxmemory-policy', 'allkeys-lru']), async ({ ingester }) => {
        const { policies } = await ingester.logged(
          'Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
        );
        expect(policies).toEqual(['allkeys-lru']);
      });
    },
    PATIENCE_MS,
  );
});
