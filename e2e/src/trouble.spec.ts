import { Redis } from 'ioredis';
import { RedisServer, eventually, jobEvents } from '@ajs/testing';
import type { AppProcess } from './app-process.js';
import { Stack, poll, type RunningQuery } from './stack.js';
import { JOB, QUEUE, Traffic, key, ref } from './traffic.js';

let stack: Stack;
let redis: RedisServer;
let query: RunningQuery;

beforeEach(async () => {
  redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
  stack = await Stack.start({}, redis);
  stack.armada.state.queues.add(QUEUE);
  query = await stack.query();
}, 30_000);
afterEach(() => stack.stop());

const followed = async (app: AppProcess): Promise<string[]> => {
  await app.logged('following a job set');
  return app.logs.filter(({ msg }) => msg === 'following a job set').map(({ jobSetId }) => String(jobSetId));
};

describe('an ingester', () => {
  it('killed with -9 is taken over; nothing is lost and nothing goes back', async () => {
    const a = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 3, 10);
    traffic.begin();
    await traffic.look();
    const held = await followed(a);
    const b = await stack.ingester();
    for (let i = 0; i < 8; i++) traffic.move();
    await traffic.look();
    await a.kill();
    await b.logged('following a job set', ({ jobSetId }) => held.includes(String(jobSetId)), 20_000);
    await traffic.toTheEnd(20_000);
  }, 60_000);

  it('stopped past its lease and continued cannot write', async () => {
    const a = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 2, 10);
    traffic.begin();
    await traffic.look();
    await followed(a);
    const b = await stack.ingester();
    a.signal('SIGSTOP');
    // These reach the sockets of the one that sleeps, and the other by its own streams.
    for (let i = 0; i < 5; i++) traffic.move();
    await b.logged('following a job set', () => true, 10_000);
    for (let i = 0; i < 10; i++) traffic.move();
    await traffic.look();
    a.signal('SIGCONT');
    await a.logged('stopped following a job set', ({ why }) => why === 'lost', 10_000);
    await traffic.toTheEnd(20_000);
  }, 60_000);

  it('told to stop hands over and ends with 0; another goes on', async () => {
    const a = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 3, 5);
    traffic.begin();
    await traffic.look();
    await followed(a);
    const b = await stack.ingester();
    traffic.move();
    a.signal('SIGTERM');
    expect(await a.ended(5_000)).toBe(0);
    expect(a.logs.at(-1)?.msg).toBe('stopped');
    await b.logged('following a job set');
    await traffic.toTheEnd(20_000);
  }, 60_000);
});

describe('trouble with Armada', () => {
  it('hides no state that is known; what is not known is CONNECTION_ERR with the reason; then all heals', async () => {
    await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    stack.armada.faults.set({ unavailable: true });
    stack.armada.events.endStreams(14);
    const told = await eventually('the trouble is told', async () => {
      const answer = await poll(query.client, key(0), 'unknown-job');
      return answer.error.includes('UNAVAILABLE') && answer;
    });
    expect(told.state).toBe('CONNECTION_ERR');
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    expect((await poll(query.client, key(7), 'x')).state).toBe('CONNECTION_ERR');
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.succeeded(ref(0, 0)));
    stack.armada.faults.set({});
    await eventually(
      'what happened meanwhile is told',
      async () => (await poll(query.client, key(0), ref(0, 0).jobId)).state === 'SUCCEEDED',
      20_000,
    );
    expect((await poll(query.client, key(0), 'unknown-job')).state).toBe('JOB_ID_NOT_FOUND');
  }, 60_000);

  it('that hangs half-open is found: absence is not claimed, and known states stay', async () => {
    await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    stack.armada.faults.set({ hang: true });
    // A watch that brought something a moment ago still proves; then nothing does.
    await eventually(
      'absence is no longer claimed',
      async () => (await poll(query.client, key(0), 'x')).state === 'CONNECTION_ERR',
    );
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    stack.armada.faults.set({});
    await eventually(
      'it heals',
      async () => (await poll(query.client, key(0), 'x')).state === 'JOB_ID_NOT_FOUND',
      20_000,
    );
  }, 60_000);
});

describe('trouble with Redis', () => {
  it('is CONNECTION_ERR for everyone, at once, and heals by itself', async () => {
    const ingester = await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    await redis.kill();
    const told = await poll(query.client, key(0), ref(0, 0).jobId, { deadline: Date.now() + 5_000 });
    expect(told).toMatchObject({
      state: 'CONNECTION_ERR',
      error: expect.stringContaining('Redis') as string,
    });
    expect((await fetch(`${query.http}/readyz`)).status).toBe(503);
    expect((await fetch(`${query.http}/healthz`)).status).toBe(200);
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.succeeded(ref(0, 0)));
    await redis.restart();
    await eventually(
      'what happened meanwhile is told',
      async () => (await poll(query.client, key(0), ref(0, 0).jobId)).state === 'SUCCEEDED',
      20_000,
    );
    expect((await fetch(`${query.http}/readyz`)).status).toBe(200);
    // One line when it went, one when it came: none for each try.
    for (const app of [query.app, ingester]) {
      expect(app.logs.filter(({ msg }) => msg.startsWith('Redis is away'))).toHaveLength(1);
      expect(app.logs.filter(({ msg }) => msg === 'connected to Redis')).toHaveLength(2);
      const troubles = app.logs
        .filter(({ level }) => level === 'warn')
        .map(({ msg, err }) => `${msg}: ${(err as Error | undefined)?.message}`);
      expect(troubles).toEqual([...new Set(troubles)]);
    }
  }, 60_000);

  it('that lost everything is read again from Armada', async () => {
    await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    expect((await poll(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
    await eventually(
      'it is known again',
      async () => (await poll(query.client, key(0), ref(0, 0).jobId)).state === 'RUNNING',
      30_000,
    );
  }, 60_000);
});

describe('interest', () => {
  it('that ends ends the following, and then the job set; a poll brings it back', async () => {
    const short = {
      FOLLOW_AFTER_POLL: '5s',
      FOLLOW_UNFINISHED_AFTER_POLL: '5s',
      DELETE_AFTER_POLL: '10s',
      REBALANCE_INTERVAL: '1s',
    };
    const isTold = ({ client }: typeof query) =>
      eventually(
        'it is told',
        async () => (await poll(client, key(0), ref(0, 0).jobId)).state === 'RUNNING',
        20_000,
      );
    const ingester = await stack.ingester(short);
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    await isTold(query);
    await ingester.logged('stopped following a job set', ({ why }) => why === 'done');
    const client = new Redis(redis.url);
    await eventually('its keys are gone', async () => (await client.keys('*set-0*')).length === 0, 30_000);
    client.disconnect();
    await isTold(await stack.query());
  }, 90_000);
});
