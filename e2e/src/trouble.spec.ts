import { RedisServer, SURVIVES_KILL, eventually, jobEvents } from '@ajs/testing';
import { adminOf } from './admin-of.js';
import type { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { poll, pollCalmly, type RunningQuery, type Stack } from './stack.js';
import { JOB, QUEUE, Traffic, isInState, key, ref, withStack } from './traffic.js';

/** Every wait has a deadline of its own; this leaves a busy machine time for three tests at once. */
const PATIENCE_MS = 240_000;

/** What a test has of its own. */
interface Running {
  readonly stack: Stack;
  readonly redis: RedisServer;
  readonly query: RunningQuery;
}

/** Where polls end without a state, and the next one finds it. */
const SHORT_WAIT = { FIRST_POLL_WAIT: '2s' };

/** A test that runs beside others: it waits most of the time. */
function itHolds(
  title: string,
  use: (running: Running) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): void {
  const run = async (): Promise<void> => {
    const redis = await RedisServer.start(SURVIVES_KILL);
    await withStack(redis, async (stack) => use({ stack, redis, query: await stack.query() }), env);
  };
  it.concurrent(title, run, PATIENCE_MS);
}

const followedJobSets = async (app: AppProcess): Promise<string[]> => {
  await app.logged('following a job set');
  return app.logs.filter(({ msg }) => msg === 'following a job set').map(({ jobSetId }) => String(jobSetId));
};

itHolds(
  'when an ingester ends, another takes over after kill -9: nothing is lost and no state goes back',
  async ({ stack, query }) => {
    const a = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 3, 10);
    traffic.begin();
    await traffic.look();
    const owned = await followedJobSets(a);
    const b = await stack.ingester();
    for (let i = 0; i < 8; i++) traffic.move();
    await traffic.look();
    await a.kill();
    await b.logged('following a job set', ({ jobSetId }) => owned.includes(String(jobSetId)));
    await traffic.toTheEnd();
  },
);

itHolds(
  'when an ingester ends, another takes over after kill -9 before the leases of the dead one expire',
  async ({ stack, redis, query }) => {
    let owner = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 1, 3);
    traffic.begin();
    await traffic.look();
    await followedJobSets(owner);
    const admin = adminOf(redis.url);
    /** Kills the owner; resolves to whether another one has its job set although its lease does not end. */
    const isTakenOver = async (): Promise<boolean> => {
      const other = await stack.ingester();
      await patiently('both are connected', async () => {
        return (await admin.pubsub('CHANNELS', 'ajs:owner:*')).length === 2;
      });
      // A replica is dead for those that saw it alive. Each looks at the same pace, and so has by the time of six looks.
      const looks = async (): Promise<number> =>
        Number(/cmdstat_pubsub\|channels:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]);
      const before = await looks();
      await patiently('both have looked', async () => (await looks()) >= before + 6);
      const [lock = ''] = await patiently('it has a lease', async () => {
        const locks = await admin.keys('{ajs}:follow:*:lock');
        return locks.length === 1 && locks;
      });
      await owner.kill();
      await admin.persist(lock);
      owner = other;
      const follows = () => other.logs.some(({ msg }) => msg === 'following a job set');
      const isEarly = await eventually('it follows', follows, 10_000).catch(() => false);
      if (!isEarly) await admin.del(lock);
      await followedJobSets(other);
      return isEarly;
    };
    // One that the machine held up at that moment has to wait for the lease: it is no reason to fail, the next one may be faster.
    const tries: boolean[] = [];
    while (tries.length < 3 && !tries.includes(true)) tries.push(await isTakenOver());
    expect(tries).toContain(true);
    admin.disconnect();
    await traffic.toTheEnd();
  },
);

itHolds(
  'when an ingester ends, one that was suspended past its lease cannot write when it resumes',
  async ({ stack, query }) => {
    const a = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 2, 10);
    traffic.begin();
    await traffic.look();
    await followedJobSets(a);
    const b = await stack.ingester();
    a.signal('SIGSTOP');
    // These wait in the sockets of the suspended one; the other reads them by its own streams.
    for (let i = 0; i < 5; i++) traffic.move();
    await b.logged('following a job set');
    for (let i = 0; i < 10; i++) traffic.move();
    await traffic.look();
    a.signal('SIGCONT');
    await a.logged('stopped following a job set', ({ reason }) => reason === 'lease-lost');
    await traffic.toTheEnd();
  },
);

itHolds(
  'when an ingester ends, SIGTERM hands its job sets over, and it exits with 0',
  async ({ stack, query }) => {
    const a = await stack.ingester();
    const traffic = new Traffic(stack, query.client, 3, 5);
    traffic.begin();
    await traffic.look();
    await followedJobSets(a);
    const b = await stack.ingester();
    traffic.move();
    a.signal('SIGTERM');
    expect(await a.ended()).toBe(0);
    expect(a.logs.at(-1)?.msg).toBe('stopped');
    await b.logged('following a job set');
    await traffic.toTheEnd();
  },
);

itHolds(
  'while Armada is unavailable, known states are answered, unknown jobs are CONNECTION_ERR with the reason, and both recover',
  async ({ stack, query }) => {
    await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    await isInState(query, 'RUNNING');
    stack.armada.faults.set({ unavailable: true });
    stack.armada.events.endStreams(14);
    const answer = await patiently('the reason is given', async () => {
      const unknown = await poll(query.client, key(0), 'unknown-job');
      return unknown.error.includes('UNAVAILABLE') && unknown;
    });
    expect(answer.state).toBe('CONNECTION_ERR');
    expect((await pollCalmly(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    expect((await poll(query.client, key(7), 'x')).state).toBe('CONNECTION_ERR');
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.succeeded(ref(0, 0)));
    stack.armada.faults.set({});
    await isInState(query, 'SUCCEEDED');
    // Both witnesses must be back: the event stream, and Armada's api.Jobs.
    await patiently(
      'not found is reported again',
      async () => (await poll(query.client, key(0), 'unknown-job')).state === 'JOB_ID_NOT_FOUND',
    );
  },
  SHORT_WAIT,
);

itHolds(
  'while Armada is unavailable, half-open connections are detected: no job is reported as not found, and known states are answered',
  async ({ stack, query }) => {
    await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    await isInState(query, 'RUNNING');
    stack.armada.faults.set({ hang: true });
    // A watch counts as proof for a moment after it last delivered something.
    await patiently(
      'not found is no longer reported',
      async () => (await poll(query.client, key(0), 'x')).state === 'CONNECTION_ERR',
    );
    expect((await pollCalmly(query.client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    stack.armada.faults.set({});
    await patiently(
      'not found is reported again',
      async () => (await poll(query.client, key(0), 'x')).state === 'JOB_ID_NOT_FOUND',
    );
  },
  SHORT_WAIT,
);

itHolds(
  'while Redis is unavailable, every poll is CONNECTION_ERR at once, and recovers by itself',
  async ({ stack, redis, query }) => {
    const ingester = await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    await isInState(query, 'RUNNING');
    await redis.kill();
    const answer = await poll(query.client, key(0), ref(0, 0).jobId, { deadline: Date.now() + 20_000 });
    expect(answer).toMatchObject({
      state: 'CONNECTION_ERR',
      error: expect.stringContaining('Redis') as string,
    });
    expect((await fetch(`${query.http}/readyz`)).status).toBe(503);
    expect((await fetch(`${query.http}/healthz`)).status).toBe(200);
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.succeeded(ref(0, 0)));
    // One line when the connection is lost for longer than a moment and one when it is back, none for each attempt.
    const apps = [query.app, ingester];
    const unavailable = ({ logs }: (typeof apps)[number]) =>
      logs.filter(({ msg }) => msg.startsWith('Redis is unavailable'));
    await patiently('both apps say so', () => apps.every((app) => unavailable(app).length > 0));
    await redis.restart();
    await isInState(query, 'SUCCEEDED');
    await patiently('the query is ready', async () => (await fetch(`${query.http}/readyz`)).status === 200);
    for (const app of apps) {
      const connected = () => app.logs.filter(({ msg }) => msg === 'connected to Redis').length;
      await patiently('it says that Redis is back', () => connected() >= 2);
      expect([unavailable(app).length, connected()]).toEqual([1, 2]);
      const warnings = app.logs
        .filter(({ level }) => level === 'warn')
        .map(({ msg, err }) => `${msg}: ${(err as Error | undefined)?.message}`);
      expect(warnings).toEqual([...new Set(warnings)]);
    }
  },
);

itHolds(
  'while Redis is unavailable, what it lost is read again from Armada',
  async ({ stack, redis, query }) => {
    await stack.ingester();
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    await isInState(query, 'RUNNING');
    const client = adminOf(redis.url);
    await client.flushall();
    client.disconnect();
    await isInState(query, 'RUNNING');
  },
  SHORT_WAIT,
);

itHolds(
  'when interest in a job set ends, following ends, then the job set is deleted, and a poll brings it back',
  async ({ stack, redis, query }) => {
    const short = {
      FOLLOW_AFTER_POLL: '5s',
      FOLLOW_UNFINISHED_AFTER_POLL: '5s',
      DELETE_AFTER_POLL: '10s',
      REBALANCE_INTERVAL: '1s',
    };
    const ingester = await stack.ingester(short);
    stack.armada.state.openLog(QUEUE, 'set-0').append(jobEvents.running(ref(0, 0), JOB));
    await isInState(query, 'RUNNING');
    await ingester.logged('stopped following a job set', ({ reason }) => reason === 'done');
    const client = adminOf(redis.url);
    await patiently('its keys are gone', async () => (await client.keys('*set-0*')).length === 0);
    client.disconnect();
    await isInState(await stack.query(), 'RUNNING');
  },
);
