import {
  RedisJobLister,
  RedisJobSetLife,
  RedisJobSink,
  createRedisClient,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { ArmadaTime, toMs, type JobSetKey } from '@ajs/job-state';
import { READ_REQUESTS_CHANNEL } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { ReadRequestSender, listenForReadRequests } from './read-requests.js';
import { InterestStore } from '../interest/interest-store.js';
import type { AssignmentObserver } from './assignment-observer.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { jobSetTag } from '@ajs/redis-keys';
import { InterestRecorder } from '../interest/interest-recorder.js';
import type { Lifetime } from '../interest/lifetime.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { scriptedReconciler } from '../testing/scripted-ends.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { Sweeper } from './sweeper.js';
import { JobSetWorker } from './job-set-worker.js';
import { WorkQueue, assignmentIdOf } from './work-queue.js';

const LIFETIME: Lifetime = { followFor: 60_000, followUnfinishedFor: 120_000, keepFor: 180_000 };
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

/** One ingester's turns, over a source that is fed by hand. */
function replica(
  id: string,
  {
    sliceMs = 60_000,
    lifetime = LIFETIME,
    endsReads = true,
    ...numbers
  }: { sliceMs?: number; lifetime?: Lifetime; endsReads?: boolean } & Parameters<
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
  const turns = new JobSetWorker({
    connection: connect('work-queue'),
    sink: new RedisJobSink(redis, { ttlSeconds: 1_000, onLost: ignore, onKept: ignore }),
    source,
    ...budgets,
    observer,
    reconciler: scriptedReconciler().reconciler,
    timing: REFLECTOR_TIMING,
    rebalanceIntervalMs: sliceMs,
    onError: ignore,
  });
  turns.start();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= turns.stop());
  cleanups.push(stop);
  return { turns, watches: budgets.watches, source, started, ended, stop };
}

async function demandFor(...keys: JobSetKey[]): Promise<void> {
  const demand = new InterestStore(redis);
  for (const key of keys) await demand.record(key);
  await workQueue().enqueue(keys);
}

describe('demand', () => {
  it('is when somebody asked last, found again by whoever goes through it', async () => {
    const demand = new InterestStore(redis);
    expect(await demand.age(jobSet(1))).toBeUndefined();
    for (let n = 0; n < 100; n++) await demand.record(jobSet(n));
    expect(await demand.age(jobSet(1))).toBeLessThan(10_000);
    const all: string[] = [];
    for await (const some of demand.all()) all.push(...some.map(({ key }) => key.jobSetId));
    expect(new Set(all).size).toBe(100);
  });

  it('is forgotten, unless somebody asked meanwhile', async () => {
    const demand = new InterestStore(redis);
    await demand.record(jobSet(1));
    const read = async () => {
      for await (const [first] of demand.all()) return first;
      return undefined;
    };
    const before = await read();
    if (before === undefined) throw new Error('nothing is demanded');
    await eventually('time passes', async () => ((await demand.age(jobSet(1))) ?? 0) > 2);
    await demand.record(jobSet(1));
    await demand.forget(before);
    const now = await read();
    expect(now).toBeDefined();
    if (now !== undefined) await demand.forget(now);
    expect(await demand.age(jobSet(1))).toBeUndefined();
  });
});

describe('turns', () => {
  it('any number of hints make one turn', async () => {
    const { started, source } = replica('a');
    for (let i = 0; i < 20; i++) await demandFor(jobSet(1));
    await eventually('it is followed', () => source.opened.length > 0);
    await demandFor(jobSet(2));
    await eventually('the other too', () => started.includes('s2'));
    expect(started.filter((id) => id === 's1')).toEqual(['s1']);
  });

  it('go to another replica, and at once, when their holder stops cleanly', async () => {
    const a = replica('a');
    await demandFor(jobSet(1));
    const read = await eventually('it is followed', () => a.source.live[0]);
    read.listener.message(running(5));
    const b = replica('b');
    await a.stop();
    expect(a.ended).toEqual(['s1 hand-over']);
    const again = await eventually('the other follows', () => b.source.live[0]);
    // What was read before is written: the other goes on after it.
    expect(again.request.from).toBe('5:0:0:1');
    const view = await new RedisJobLister(redis).read(jobSet(1), ['job']);
    expect(view.jobs.get('job')?.state).toBe('RUNNING');
  });

  it('are shared when a replica comes', async () => {
    const a = replica('a', { sliceMs: 300 });
    await demandFor(...Array.from({ length: 12 }, (_, n) => jobSet(n)));
    await eventually('all are followed', () => a.turns.size === 12);
    const b = replica('b', { sliceMs: 300 });
    await eventually(
      'each has about half',
      () => b.turns.size >= 4 && a.turns.size + b.turns.size >= 11,
      20_000,
    );
    // Where the machine stalls for as long as a lease lasts, turns are lost beside.
    expect(a.ended.filter((why) => !/ (hand-over|lost)$/.test(why))).toEqual([]);
  }, 30_000);

  it('are made anew where Redis lost all of one but its place in the queue', async () => {
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

  it('end when nobody asks any more', async () => {
    const a = replica('a', {
      sliceMs: 50,
      lifetime: { ...LIFETIME, followFor: 2_000, followUnfinishedFor: 2_000 },
    });
    const demand = new InterestStore(redis);
    const queue = workQueue();
    // Again and again: a machine that stalls may let the interest end before it was followed.
    const isFollowedAgain = (): Promise<boolean> => {
      const before = a.started.length;
      return eventually('it is followed', async () => {
        await demand.record(jobSet(1));
        await queue.enqueue([jobSet(1)]);
        return a.started.length > before;
      });
    };
    await isFollowedAgain();
    await eventually('it ends', () => a.turns.size === 0 && a.ended.at(-1) === 's1 done');
    await isFollowedAgain();
  });

  it('hear polls that ask for a read', async () => {
    const a = replica('a');
    await listenForReadRequests(connect('work-queue'), (key) => a.turns.requestRead(key));
    await demandFor(jobSet(1));
    await eventually('it watches', () => a.source.live.some(({ request }) => request.watch));
    const sender = new ReadRequestSender(redis, workQueue());
    await sender.send(jobSet(1));
    await eventually('it reads', () => a.source.opened.filter(({ request }) => !request.watch).length === 2);
  });
});

describe('job sets beyond the watch budget', () => {
  const reads = (source: ScriptedSource, { jobSetId }: JobSetKey): number =>
    source.opened.filter(({ request }) => !request.watch && request.key.jobSetId === jobSetId).length;

  it('are read on a schedule, and no more are watched than may be, over all replicas', async () => {
    const both = ['a', 'b'].map((id) => replica(id, { watchBudget: 3, shortestMs: 200, longestMs: 200 }));
    const keys = Array.from({ length: 20 }, (_, n) => jobSet(n));
    await demandFor(...keys);
    const watches = (): number =>
      both.reduce((sum, { source }) => sum + source.live.filter(({ request }) => request.watch).length, 0);
    let most = 0;
    await eventually('all are watched, or read three times', () => {
      most = Math.max(most, watches());
      const read = keys.filter((key) => both.reduce((sum, { source }) => sum + reads(source, key), 0) >= 3);
      return read.length >= keys.length - 3;
    });
    expect(most).toBe(3);
    expect(watches()).toBe(3);
  });

  it('are no turn between two reads, and say when they are read again', async () => {
    const a = replica('a', { watchBudget: 0 });
    await demandFor(jobSet(1));
    await eventually('it is read, and waits', async () => (await workQueue().countDelayed()) === 1);
    expect(a.turns.size).toBe(0);
    const { now, subscription } = await new RedisJobLister(redis).read(jobSet(1), []);
    expect(subscription).toMatchObject({ state: 'live', reason: '' });
    expect(subscription?.nextReadAt).toBeGreaterThan(toMs(now) + 50_000);
  });

  it('are read at once when a poll asks', async () => {
    const a = replica('a', { watchBudget: 0 });
    await listenForReadRequests(connect('work-queue'), (key) => a.turns.requestRead(key));
    await demandFor(jobSet(1));
    const queue = workQueue();
    await eventually('it is read, and waits', async () => (await queue.countDelayed()) === 1);
    await new ReadRequestSender(redis, queue).send(jobSet(1));
    await eventually('it is read again', () => reads(a.source, jobSet(1)) === 2);
  });

  it('are all read at once when Redis has lost what it had', async () => {
    const a = replica('a', { watchBudget: 0 });
    const keys = Array.from({ length: 10 }, (_, n) => jobSet(n));
    await demandFor(...keys);
    const queue = workQueue();
    await eventually('all are read, and wait', async () => (await queue.countDelayed()) === keys.length);
    await queue.promoteAll();
    await eventually('all are read again', () => keys.every((key) => reads(a.source, key) === 2));
  });

  it('that nobody asks about any more are not read, nor begun anew', async () => {
    const a = replica('a', { watchBudget: 0 });
    await demandFor(jobSet(1));
    const queue = workQueue();
    await eventually('it is read, and waits', async () => (await queue.countDelayed()) === 1);
    await redis.flushall();
    await queue.enqueue([jobSet(1)]);
    await eventually('its turn is over', async () => (await redis.keys('{ajs}:follow:*')).length > 0);
    await eventually('nothing is left of it', async () => (await redis.keys('ajs:{q/s1}*')).length === 0);
    expect(reads(a.source, jobSet(1))).toBe(1);
  });
});

describe('asks', () => {
  it('are sent at most once a second for a job set', async () => {
    const heard: JobSetKey[] = [];
    const subscriber = connect('work-queue');
    await listenForReadRequests(subscriber, (key) => heard.push(key));
    const sender = new ReadRequestSender(redis, workQueue());
    for (let i = 0; i < 50; i++) await sender.send(jobSet(1));
    await sender.send(jobSet(2));
    await eventually('both are heard', () => heard.length >= 2);
    expect(heard).toEqual([jobSet(1), jobSet(2)]);
    await redis.publish(READ_REQUESTS_CHANNEL, 'rubbish');
    expect(heard).toHaveLength(2);
  });
});

describe('the sweep', () => {
  function sweeper(lifetime = LIFETIME) {
    return new Sweeper({
      redis,
      replicaId: 'a',
      interest: new InterestStore(redis),
      life: new RedisJobSetLife(redis, 1_000),
      workQueue: workQueue(),
      lifetime,
      onError: ignore,
    });
  }

  it('puts a lost hint back', async () => {
    await new InterestStore(redis).record(jobSet(1));
    const a = replica('a');
    await sweeper().sweep();
    await eventually('it is followed', () => a.started.includes('s1'));
  });

  it('deletes what nobody asked about for long enough, and nothing else', async () => {
    const sink = new RedisJobSink(redis, { ttlSeconds: 1_000, onLost: ignore, onKept: ignore });
    const batch = {
      cursor: '1:0:0:1',
      records: new Map(),
      subscription: { state: 'live', reason: '' },
    } as const;
    const demand = new InterestStore(redis);
    await demand.record(jobSet(1));
    await (await sink.open(jobSet(1))).write(batch);
    const lister = new RedisJobLister(redis);
    await sweeper().sweep();
    expect((await lister.read(jobSet(1), [])).subscription).toBeDefined();
    await eventually('time passes', async () => ((await demand.age(jobSet(1))) ?? 0) > 5);
    await sweeper({ followFor: 1, followUnfinishedFor: 1, keepFor: 1 }).sweep();
    expect((await lister.read(jobSet(1), [])).subscription).toBeUndefined();
    expect(await demand.age(jobSet(1))).toBeUndefined();
  });

  it('deletes names without a job as soon as they are not followed any more, and keeps what has jobs', async () => {
    const sink = new RedisJobSink(redis, { ttlSeconds: 1_000, onLost: ignore, onKept: ignore });
    const demand = new InterestStore(redis);
    const life = new RedisJobSetLife(redis, 1_000);
    const ended = { state: 'SUCCEEDED', runNumber: 1, changedAt: ArmadaTime(1) } as const;
    for (const [n, records] of [
      [1, new Map()],
      [2, new Map([['01m85vnck01jqpr3vd00000001', ended]])],
    ] as const) {
      await demand.record(jobSet(n));
      const subscription = { state: 'live', reason: '' } as const;
      await (await sink.open(jobSet(n))).write({ cursor: '1:0:0:1', records, subscription });
    }
    // Which nobody has taken up.
    await demand.record(jobSet(3));
    await eventually('time passes', async () => ((await demand.age(jobSet(3))) ?? 0) > 5);
    await sweeper({ followFor: 1, followUnfinishedFor: 60_000, keepFor: 60_000 }).sweep();
    expect(await demand.age(jobSet(1))).toBeUndefined();
    expect(await life.touch(jobSet(1))).toBe(false);
    expect(await demand.age(jobSet(3))).toBeUndefined();
    expect(await demand.age(jobSet(2))).toBeDefined();
    expect(await life.unfinished(jobSet(2))).toBe(0);
  });
});

describe('interest', () => {
  it('is noted aside, once for many polls, and makes the job set followed', async () => {
    const a = replica('a');
    const demand = new InterestStore(redis);
    let notes = 0;
    const counting = Object.assign(Object.create(demand) as InterestStore, {
      record: (key: JobSetKey) => {
        notes++;
        return demand.record(key);
      },
    });
    const interest = new InterestRecorder({
      interest: counting,
      life: new RedisJobSetLife(redis, 1_000),
      workQueue: workQueue(),
      maxJobSets: 1_000,
      maxNewJobSetsPerCaller: 1_000,
      onRefused: ignore,
      onError: ignore,
    });
    for (let i = 0; i < 1_000; i++) interest.record(jobSet(1));
    await interest.flushed();
    for (let i = 0; i < 1_000; i++) interest.record(jobSet(1));
    await interest.flushed();
    expect(notes).toBe(1);
    await eventually('it is followed', () => a.started.includes('s1'));
  });

  it('that could not be written is noted by the next poll', async () => {
    const errors: Error[] = [];
    const demand = new InterestStore(redis);
    let away = true;
    const flaky = Object.assign(Object.create(demand) as InterestStore, {
      record: (key: JobSetKey) => (away ? Promise.reject(new Error('away')) : demand.record(key)),
    });
    const interest = new InterestRecorder({
      interest: flaky,
      life: new RedisJobSetLife(redis, 1_000),
      workQueue: workQueue(),
      maxJobSets: 1_000,
      maxNewJobSetsPerCaller: 1_000,
      onRefused: ignore,
      onError: (error) => errors.push(error),
    });
    interest.record(jobSet(1));
    await interest.flushed();
    expect(errors).toHaveLength(1);
    away = false;
    interest.record(jobSet(1));
    await interest.flushed();
    expect(await demand.age(jobSet(1))).toBeDefined();
  });

  it('of careless callers is bounded, for each and for all, and says why', async () => {
    const demand = new InterestStore(redis);
    let refused = 0;
    const interest = new InterestRecorder({
      interest: demand,
      life: new RedisJobSetLife(redis, 1_000),
      workQueue: workQueue(),
      maxJobSets: 160,
      maxNewJobSetsPerCaller: 100,
      onRefused: () => refused++,
      onError: ignore,
    });
    const poll = async (from: number, to: number, caller: string): Promise<(string | undefined)[]> => {
      const keys = Array.from({ length: to - from }, (_, i) => jobSet(from + i));
      for (const key of keys) interest.record(key, undefined, () => caller);
      await interest.flushed();
      return keys.map((key) => interest.refusal(jobSetTag(key)));
    };
    const reasons = await poll(0, 1_000, 'careless');
    const mayBring = reasons.slice(0, 100).filter((reason) => reason === undefined).length;
    expect(mayBring).toBeGreaterThan(50);
    expect(reasons[100]).toContain('MAX_NEW_JOB_SETS_PER_CALLER');
    const others = await poll(1_000, 1_100, 'other');
    expect(others.filter((reason) => reason?.includes('MAX_JOB_SETS'))).not.toHaveLength(0);
    expect(others.filter((reason) => reason === undefined)).not.toHaveLength(0);
    let demanded = 0;
    for await (const page of demand.all()) demanded += page.length;
    expect(demanded).toBeLessThanOrEqual(160);
    expect(refused).toBe(1_100 - demanded);
    expect((await redis.keys('{ajs}:follow:*')).filter((key) => /:[0-9a-f]{40}$/.test(key))).toHaveLength(
      demanded,
    );
  }, 30_000);

  it('in what is asked about already is never refused, and kept, whoever asked about too much', async () => {
    const demand = new InterestStore(redis);
    for (let n = 0; n < 50; n++) await demand.record(jobSet(n));
    const interest = new InterestRecorder({
      interest: demand,
      life: new RedisJobSetLife(redis, 1_000),
      workQueue: workQueue(),
      maxJobSets: 1_000,
      maxNewJobSetsPerCaller: 1,
      onRefused: ignore,
      onError: ignore,
    });
    const note = async (from: number, to: number): Promise<(string | undefined)[]> => {
      const keys = Array.from({ length: to - from }, (_, i) => jobSet(from + i));
      for (const key of keys) interest.record(key, undefined, () => 'caller');
      await interest.flushed();
      return keys.map((key) => interest.refusal(jobSetTag(key)));
    };
    expect(await note(100, 103)).toEqual([undefined, ...Array<unknown>(2).fill(expect.any(String))]);
    const lastInterest = async (): Promise<number> => {
      for await (const page of demand.all()) {
        const of49 = page.find(({ key }) => key.jobSetId === jobSet(49).jobSetId);
        if (of49 !== undefined) return of49.lastInterestAt;
      }
      return NaN;
    };
    const before = await lastInterest();
    await eventually('a moment has passed', async () => ((await demand.age(jobSet(49))) ?? 0) > 10);
    expect(await note(0, 50)).toEqual(Array(50).fill(undefined));
    expect(await lastInterest()).toBeGreaterThan(before);
  }, 30_000);
});
