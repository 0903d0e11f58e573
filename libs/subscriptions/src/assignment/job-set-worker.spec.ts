import { jest } from '@jest/globals';
import { JobId, toMs, type JobSetKey } from '@ajs/job-state';
import {
  RedisJobLister,
  RedisJobSetLife,
  createRedisClient,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { interestShard } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { Job } from 'bullmq';
import { InterestRecorder } from '../interest/interest-recorder.js';
import { InterestStore } from '../interest/interest-store.js';
import type { Lifetime } from '../interest/lifetime.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import type { AssignmentObserver } from './assignment-observer.js';
import { Leases } from './leases.js';
import { ReadRequestSender, listenForReadRequests } from './read-requests.js';
import { WORK_QUEUE, WorkQueue, assignmentIdOf, type AssignmentData } from './work-queue.js';

const LIFETIME: Lifetime = { followFor: 60_000, followUnfinishedFor: 120_000, keepFor: 180_000 };
const HOUR = 3_600_000;
const ignore = (): void => undefined;

let server: RedisServer;
let redis: RedisClient;
const clients: RedisClient[] = [];
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connect('writer');
});

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
  await redis.flushall();
});

afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server.stop();
});

function connect(role: ClientRole): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  clients.push(client);
  return client;
}

const jobSet = (n: number): JobSetKey => ({ queue: 'q', jobSetId: `s${n}` });

function workQueue(): WorkQueue {
  const queue = new WorkQueue(connect('work-queue'), ignore);
  cleanups.push(() => queue.close());
  return queue;
}

/** One ingester's worker, over a source that is fed by hand. */
function replica(
  id: string,
  {
    rebalanceIntervalMs = 60_000,
    lifetime = LIFETIME,
    endsReads = true,
    ...numbers
  }: { rebalanceIntervalMs?: number; lifetime?: Lifetime; endsReads?: boolean } & Parameters<
    typeof scriptedBudgets
  >[3] = {},
) {
  const source = new ScriptedSource();
  source.endsReads = endsReads;
  const started: string[] = [];
  const ended: string[] = [];
  const observer: AssignmentObserver = {
    ...SILENT_OBSERVER,
    watchStarted: ({ jobSetId }) => started.push(jobSetId),
    watchEnded: ({ jobSetId }, why) => ended.push(`${jobSetId} ${why}`),
  };
  const budgets = scriptedBudgets(redis, id, lifetime, numbers);
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...budgets,
    observer,
    // A watch is checked by a read only where a test has one requested.
    timing: { ...REFLECTOR_TIMING, checkSilentWatchAfterMs: HOUR },
    rebalanceIntervalMs,
  });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= worker.stop());
  cleanups.push(stop);
  return { worker, watches: budgets.watches, source, started, ended, stop };
}

async function poll(...keys: JobSetKey[]): Promise<void> {
  const interest = new InterestStore(redis);
  for (const key of keys) await interest.record(key);
  await workQueue().enqueue(keys);
}

const watchOf = (source: ScriptedSource) =>
  eventually('it is watched', () => source.live.find(({ request }) => request.watch));

/** As where Redis did not answer for longer than the lease. */
async function loseLease({ ended }: ReturnType<typeof replica>, key: JobSetKey): Promise<void> {
  const before = ended.length;
  await redis.del(`${redis.ownKeys.workQueuePrefix}:${WORK_QUEUE}:${assignmentIdOf(key)}:lock`);
  await eventually('its lease is lost', () => ended[before] === `${key.jobSetId} lease-lost`);
}

describe('an assignment', () => {
  it('is one, however often its job set is enqueued', async () => {
    const { started, source } = replica('a');
    for (let i = 0; i < 20; i++) await poll(jobSet(1));
    await eventually('it is followed', () => source.opened.length > 0);
    await poll(jobSet(2));
    await eventually('the other too', () => started.includes('s2'));
    expect(started.filter((id) => id === 's1')).toEqual(['s1']);
  });

  it('is not lost where Redis does not answer when its lease is to be taken', async () => {
    const take = jest
      .spyOn(Leases.prototype, 'take')
      .mockRejectedValueOnce(new Error('Connection is closed.'));
    const { source } = replica('a');
    await poll(jobSet(1));
    await eventually('its lease cannot be taken', () => take.mock.calls.length === 1);
    // BullMQ gives it again once its lock has run out.
    await eventually('it is followed', () => source.opened.length > 0, 20_000);
    take.mockRestore();
  });

  it('goes to another replica, and at once, when its owner stops cleanly', async () => {
    const a = replica('a');
    await poll(jobSet(1));
    const read = await eventually('it is followed', () => a.source.live[0]);
    read.listener.message(running(5));
    const b = replica('b');
    await a.stop();
    expect(a.ended).toEqual(['s1 hand-over']);
    const again = await eventually('the other follows', () => b.source.live[0]);
    // What was read before is written: the other goes on after it.
    expect(again.request.from).toBe('5:0:0:1');
    const view = await new RedisJobLister(redis).read(jobSet(1), [JobId('job')]);
    expect(view.jobs.get(JobId('job'))?.state).toBe('RUNNING');
  });

  it('is handed over where a new replica has fewer watches', async () => {
    // A replica that has its share when a job set arrives reads it again soon, and another one may watch it then.
    const numbers = { rebalanceIntervalMs: 300, minIntervalMs: 500, maxIntervalMs: 500 };
    const a = replica('a', numbers);
    await poll(...Array.from({ length: 12 }, (_, n) => jobSet(n)));
    await eventually('all are watched', () => a.watches.size === 12);
    const b = replica('b', numbers);
    await eventually(
      'each has about half',
      () => b.watches.size >= 4 && a.watches.size + b.watches.size >= 11,
      20_000,
    );
    // Where the machine stalls for as long as a lease lasts, some are lost beside.
    expect(a.ended.filter((why) => !/ (hand-over|lease-lost)$/.test(why))).toEqual([]);
  }, 30_000);

  it('is read at once when its owner was killed, also by a replica that has more than its share of watches', async () => {
    const a = replica('a');
    await poll(...Array.from({ length: 6 }, (_, n) => jobSet(n)));
    await eventually('all are watched', () => a.watches.size === 6);
    // Another replica, which is alive and takes nothing.
    const { watches } = scriptedBudgets(redis, 'b', LIFETIME);
    watches.start();
    cleanups.push(() => watches.leave());
    await eventually('it has more than its share', () => a.watches.isAboveShare());
    const queue = `${redis.ownKeys.workQueuePrefix}:${WORK_QUEUE}`;
    const orphan = jobSet(7);
    await new InterestStore(redis).record(orphan);
    await redis.hset(`${queue}:${assignmentIdOf(orphan)}`, {
      name: 'follow',
      data: JSON.stringify({ ...orphan, watched: true, timesStalled: 0 }),
      opts: '{}',
      timestamp: 1,
      delay: 0,
      priority: 0,
    });
    await redis.lpush(`${queue}:active`, assignmentIdOf(orphan));
    await eventually('it is read', () =>
      a.source.opened.some(({ request }) => request.key.jobSetId === orphan.jobSetId),
    );
    expect(a.watches.isAboveShare()).toBe(true);
    expect(a.started).not.toContain('s7');
  });

  it('gives its watch back where Redis forgot its job set while its lease was lost', async () => {
    const a = replica('a');
    await poll(jobSet(1));
    await eventually('it is watched', () => a.watches.size === 1);
    await redis.del(redis.ownKeys.format({ kind: 'interest', shard: interestShard(jobSet(1)) }));
    await redis.del(redis.ownKeys.metaKey(jobSet(1)));
    await loseLease(a, jobSet(1));
    await eventually('its watch is closed', () => a.source.live.length === 0, 15_000);
    await eventually('its watch is given back', () => a.watches.size === 0 && a.worker.size === 0);
  });

  it('has closed its old streams when it begins anew after its lease was lost, and its watch with it', async () => {
    const a = replica('a');
    await poll(jobSet(1));
    const before = await watchOf(a.source);
    await loseLease(a, jobSet(1));
    a.watches.release(assignmentIdOf(jobSet(1)));
    await eventually('it is watched again', () => a.started.length === 2);
    expect(before.ended).toBe(true);
  });

  it('has its owner again, for whoever is given it next, once it goes on with its watch after its lease was lost', async () => {
    const a = replica('a');
    await poll(jobSet(1));
    await watchOf(a.source);
    await loseLease(a, jobSet(1));
    await eventually('it goes on', () => a.started.length > 1);
    const bullJob = `${redis.ownKeys.workQueuePrefix}:${WORK_QUEUE}:${assignmentIdOf(jobSet(1))}`;
    const noted = await eventually('that is noted', async () => {
      const [data, timesStalled] = await redis.hmget(bullJob, 'data', 'stc');
      const { watched, timesStalled: atWatch } = JSON.parse(data ?? '{}') as Partial<AssignmentData>;
      return Number(timesStalled) > 0 && atWatch === Number(timesStalled) && { watched };
    });
    expect(noted).toEqual({ watched: true });
  });

  it('reads for a poll that requested it while its lease was lost, beside the watch with which it goes on', async () => {
    const a = replica('a');
    await poll(jobSet(1));
    const watch = await watchOf(a.source);
    await loseLease(a, jobSet(1));
    const opened = a.source.opened.length;
    a.worker.requestRead(jobSet(1));
    const read = await eventually('it reads', () => a.source.opened[opened]);
    expect([read.request.watch, watch.ended]).toEqual([false, false]);
  });

  it('has closed its streams when its replica has stopped, also where its lease was lost', async () => {
    const a = replica('a');
    await poll(jobSet(1));
    const watch = await watchOf(a.source);
    await loseLease(a, jobSet(1));
    await a.stop();
    expect(watch.ended).toBe(true);
  });

  it('is weighed against other replicas for as long as it lasts, and no longer', async () => {
    const timers = jest.spyOn(globalThis, 'setInterval');
    const stopped = jest.spyOn(globalThis, 'clearInterval');
    const rebalanceIntervalMs = 54_321;
    const a = replica('a', { watchBudget: 0, rebalanceIntervalMs });
    await poll(jobSet(1));
    await eventually('it is read, and waits', async () => (await workQueue().countDelayed()) === 1);
    await eventually('it is over', () => a.worker.size === 0);
    const index = timers.mock.calls.findIndex(([, everyMs]) => everyMs === rebalanceIntervalMs);
    expect(stopped).toHaveBeenCalledWith(timers.mock.results[index]?.value);
    jest.restoreAllMocks();
  });

  it('is given back for 100 ms at least: a worker would take it again before it has let go of it', async () => {
    const delays: number[] = [];
    const moveToDelayed = jest.spyOn(Job.prototype, 'moveToDelayed');
    moveToDelayed.mockImplementation((at) => {
      delays.push(at - Date.now());
      return Promise.resolve();
    });
    replica('a', { watchBudget: 0, minIntervalMs: 1, maxIntervalMs: 1 });
    await poll(jobSet(1));
    await eventually('it is given back', () => delays.length > 0);
    expect(delays[0]).toBeGreaterThan(90);
    moveToDelayed.mockRestore();
  });

  it('is added again where Redis lost all of its BullMQ job but the place in the queue', async () => {
    const key = jobSet(1);
    await new InterestStore(redis).record(key);
    const queue = workQueue();
    const delayed = '{ajs}:follow:delayed';
    await redis.zadd(delayed, Date.now() * 4096, assignmentIdOf(key));
    const a = replica('a');
    await eventually('it is taken', async () => (await redis.zscore(delayed, assignmentIdOf(key))) === null);
    await eventually('it is followed', async () => {
      // As the sweep does.
      await queue.enqueue([key]);
      return a.started.includes('s1');
    });
  });

  it('ends when its job set is not polled any more, and comes back with the next poll', async () => {
    const a = replica('a', {
      rebalanceIntervalMs: 50,
      lifetime: { ...LIFETIME, followFor: 2_000, followUnfinishedFor: 2_000 },
    });
    const interest = new InterestStore(redis);
    const queue = workQueue();
    // Again and again: a machine that stalls may let the interest end before it was followed.
    const isFollowedAgain = (): Promise<boolean> => {
      const before = a.started.length;
      return eventually('it is followed', async () => {
        await interest.record(jobSet(1));
        await queue.enqueue([jobSet(1)]);
        return a.started.length > before;
      });
    };
    await isFollowedAgain();
    await eventually('it ends', () => a.worker.size === 0 && a.ended.at(-1) === 's1 done');
    await isFollowedAgain();
  });

  it('reads beside its watch when a poll requests it', async () => {
    const a = replica('a');
    await listenForReadRequests(connect('work-queue'), (key) => a.worker.requestRead(key), ignore);
    await poll(jobSet(1));
    await eventually('it watches', () => a.source.live.some(({ request }) => request.watch));
    const sender = new ReadRequestSender(redis, workQueue());
    await sender.send(jobSet(1));
    await eventually('it reads', () => a.source.opened.filter(({ request }) => !request.watch).length === 2);
  });
});

describe('a polled job set', () => {
  it('is followed once its interest is recorded', async () => {
    const a = replica('a');
    const recorder = new InterestRecorder({
      interest: new InterestStore(redis),
      life: new RedisJobSetLife(redis, 1_000),
      workQueue: workQueue(),
      maxJobSets: 1_000,
      maxNewJobSetsPerCaller: 1_000,
      onRefused: ignore,
      onError: ignore,
    });
    recorder.record(jobSet(1));
    await eventually('it is followed', () => a.started.includes('s1'));
  });
});

describe('job sets beyond the watch budget', () => {
  const reads = (source: ScriptedSource, { jobSetId }: JobSetKey): number =>
    source.opened.filter(({ request }) => !request.watch && request.key.jobSetId === jobSetId).length;

  it('are read on a schedule, and no more are watched than the budget, over all replicas', async () => {
    const both = ['a', 'b'].map((id) =>
      replica(id, { watchBudget: 3, minIntervalMs: 200, maxIntervalMs: 200 }),
    );
    const keys = Array.from({ length: 20 }, (_, n) => jobSet(n));
    await poll(...keys);
    const watches = (): number =>
      both.reduce((sum, { source }) => sum + source.live.filter(({ request }) => request.watch).length, 0);
    let most = 0;
    await eventually('all are watched, or read three times', () => {
      most = Math.max(most, watches());
      const read = keys.filter((key) => both.reduce((sum, { source }) => sum + reads(source, key), 0) >= 3);
      return read.length >= keys.length - 3;
    });
    // Where the machine stalls, some may have lost their leases, and claim anew.
    await eventually(
      'as many as may be are watched',
      () => (most = Math.max(most, watches())) >= 3 && watches() === 3,
    );
    expect(most).toBe(3);
  });

  it('are assigned to no replica between two reads, and report when they are read again', async () => {
    const a = replica('a', { watchBudget: 0 });
    await poll(jobSet(1));
    await eventually('it is read, and waits', async () => (await workQueue().countDelayed()) === 1);
    expect(a.worker.size).toBe(0);
    const { now, subscription } = await new RedisJobLister(redis).read(jobSet(1), []);
    expect(subscription).toMatchObject({ state: 'live', reason: '' });
    expect(subscription?.nextReadAt).toBeGreaterThan(toMs(now) + 50_000);
  });

  it('are read at once when a poll requests it', async () => {
    const a = replica('a', { watchBudget: 0 });
    await listenForReadRequests(connect('work-queue'), (key) => a.worker.requestRead(key), ignore);
    await poll(jobSet(1));
    const queue = workQueue();
    await eventually('it is read, and waits', async () => (await queue.countDelayed()) === 1);
    await new ReadRequestSender(redis, queue).send(jobSet(1));
    await eventually('it is read again', () => reads(a.source, jobSet(1)) === 2);
  });

  it('are all read at once when Redis has lost what it had', async () => {
    const a = replica('a', { watchBudget: 0 });
    const keys = Array.from({ length: 10 }, (_, n) => jobSet(n));
    await poll(...keys);
    const queue = workQueue();
    await eventually('all are read, and wait', async () => (await queue.countDelayed()) === keys.length);
    await queue.promoteAll();
    await eventually('all are read again', () => keys.every((key) => reads(a.source, key) === 2));
  });

  it('are neither read nor begun anew once they are forgotten', async () => {
    const a = replica('a', { watchBudget: 0 });
    await poll(jobSet(1));
    const queue = workQueue();
    await eventually('it is read, and waits', async () => (await queue.countDelayed()) === 1);
    await redis.flushall();
    await queue.enqueue([jobSet(1)]);
    await eventually('its assignment is over', async () => (await redis.keys('{ajs}:follow:*')).length > 0);
    await eventually('nothing is left of it', async () => (await redis.keys('ajs:{q/s1}*')).length === 0);
    expect(reads(a.source, jobSet(1))).toBe(1);
  });
});
