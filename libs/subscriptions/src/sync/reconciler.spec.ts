import { LoopProgress, armadaNow } from '@ajs/platform';
import {
  MonotonicTime,
  Cursor,
  JobId,
  toMs,
  addMs,
  type JobRecord,
  type JobSetKey,
  type JobState,
  type ArmadaTime,
} from '@ajs/job-state';
import {
  RedisJobLister,
  RedisJobSink,
  createRedisClient,
  type JobLister,
  type JobSink,
} from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { RedisServer, eventually } from '@ajs/testing';
import { BatchPacer } from './batch-pacer.js';
import { BatchWriter } from './batch-writer.js';
import { NoApiJobsError } from './terminal-state-source.js';
import type { Reconciler, Rounds } from './reconciler.js';
import { HOUR, scriptedReconciler } from '../testing/scripted-reconciler.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { ScriptedLease } from '../testing/scripted-lease.js';

const ignore = (): void => undefined;
const stops: (() => unknown)[] = [];
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

const STORES: readonly [string, () => Promise<JobSink & JobLister>][] = [
  ['memory', () => Promise.resolve(new MemoryJobStore())],
  [
    'Redis',
    async () => {
      const server = await RedisServer.start();
      const redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', ignore);
      stops.push(
        () => server.stop(),
        () => redis.disconnect(),
      );
      const sink = new RedisJobSink(redis, {
        ttlSeconds: 1_000,
        onLost: ignore,
        onKept: ignore,
        onUnreadable: ignore,
      });
      const lister = new RedisJobLister(redis);
      return {
        open: (key) => sink.open(key),
        read: (key, jobIds) => lister.read(key, jobIds),
        locate: (jobIds) => lister.locate(jobIds),
      };
    },
  ],
];

let sets = 0;

describe.each(STORES)('the reconciler over %s', (_, begin) => {
  let store: JobSink & JobLister;
  let key: JobSetKey;
  let now: ArmadaTime;
  beforeAll(async () => {
    store = await begin();
  });
  beforeEach(() => {
    key = { queue: 'q', jobSetId: `s${++sets}` };
    now = armadaNow();
  });

  let passedMs = 0;
  const clock = { now: () => now, monotonic: () => MonotonicTime(passedMs) };
  const pass = (ms: number): void => {
    passedMs += ms;
    now = addMs(now, ms);
  };
  const stateOf = async (jobId: JobId) => (await store.read(key, [jobId])).jobs.get(jobId)?.state;

  /** Jobs that changed last so many hours ago, by id, in a job set whose stream stands at `cursorAge`. */
  async function jobs(
    hours: Readonly<Record<string, number>>,
    { state = 'RUNNING', cursorAge = 0 }: { state?: JobState; cursorAge?: number } = {},
  ): Promise<void> {
    const writer = await store.open(key);
    const records = Object.entries(hours).map(([jobId, age]): [JobId, JobRecord] => {
      const changedAt = addMs(now, -age * HOUR);
      return [JobId(jobId), { state, runNumber: 1, changedAt }];
    });
    await writer.write({
      cursor: Cursor(`${toMs(now) - cursorAge * HOUR}:0:0:1`),
      records: new Map(records),
      subscription: { state: 'live', reason: '' },
    });
  }

  /** Takes the job set up as its owner does. */
  async function hold(reconciler: Reconciler) {
    const writer = await store.open(key);
    const feed = { pause: ignore, resume: ignore, fail: ignore };
    const progress = new LoopProgress(60_000);
    const lease = new ScriptedLease();
    const pacer = new BatchPacer();
    const batchWriter = new BatchWriter(writer, lease, SILENT_OBSERVER, feed, progress, pacer);
    return { batchWriter, rounds: reconciler.roundsOf(writer, batchWriter) };
  }

  /** Waits until what this reconciler had to do before is done: one job set comes after the other. */
  async function behind({ reconciler, rounds: ended }: ReturnType<typeof scriptedReconciler>): Promise<void> {
    key = { queue: 'q', jobSetId: `s${++sets}` };
    await jobs({ job: 7 });
    (await hold(reconciler)).rounds.tick();
    await eventually('its round ends', () => ended.some(([of]) => of === key));
  }

  it('gives jobs that have ended upstream their end, and leaves the others as they are', async () => {
    await jobs({ ended: 7, 'still-running': 8, unknown: 9, young: 5 });
    const { reconciler, armada, repaired, rounds: ended } = scriptedReconciler(clock);
    armada.ends.set(JobId('ended'), {
      state: 'FAILED',
      at: addMs(now, -HOUR),
      failure: { reason: 'exit 7' },
    });
    armada.ends.set(JobId('young'), { state: 'FAILED' });
    const { rounds } = await hold(reconciler);
    rounds.tick();
    await eventually('the round ends', () => ended.length > 0);
    expect(armada.calls.map((ids) => [...ids].sort())).toEqual([['ended', 'still-running', 'unknown']]);
    expect(ended).toEqual([[key, 1]]);
    expect(repaired).toEqual(['ended']);
    const { jobs: found } = await store.read(key, [
      JobId('ended'),
      JobId('still-running'),
      JobId('unknown'),
      JobId('young'),
    ]);
    expect(found.get(JobId('ended'))).toMatchObject({ state: 'FAILED', failure: { reason: 'exit 7' } });
    for (const jobId of ['still-running', 'unknown', 'young'].map(JobId))
      expect(found.get(jobId)?.state).toBe('RUNNING');
  });

  it('compares all unfinished jobs where the stream has a gap', async () => {
    await jobs({ young: 1 }, { cursorAge: 15 * 24 });
    const { reconciler, armada } = scriptedReconciler(clock);
    armada.ends.set(JobId('young'), { state: 'SUCCEEDED' });
    (await hold(reconciler)).rounds.tick();
    await eventually('it has ended', async () => (await stateOf(JobId('young'))) === 'SUCCEEDED');
  });

  it('compares no job before its time, and no young one where the stream stands within the retention', async () => {
    await jobs({ due: 6 + 1 / HOUR, exactly: 6, young: 1 }, { cursorAge: 14 * 24 });
    const { reconciler, armada, rounds: ended } = scriptedReconciler(clock);
    (await hold(reconciler)).rounds.tick();
    await eventually('the round ends', () => ended.length > 0);
    expect(armada.calls).toEqual([['due']]);
  });

  it('has no job set wait at the end of its read where twenty rounds wait, until they are over', async () => {
    const { reconciler, armada, rounds: ended } = scriptedReconciler(clock);
    let open: () => void = ignore;
    const opened = new Promise<void>((resolve) => (open = resolve));
    armada.before = () => opened;
    const all: Rounds[] = [];
    for (let n = 0; n < 21; n++) {
      key = { queue: 'q', jobSetId: `s${++sets}` };
      await jobs({ job: 7 });
      all.push((await hold(reconciler)).rounds);
    }
    const waits = all.map((rounds) => rounds.settle() !== undefined);
    expect(waits).toEqual([...Array<boolean>(20).fill(true), false]);
    open();
    await eventually('they are over', () => ended.length === 20);
    await eventually('there is room for another', () => all.at(-1)?.settle() !== undefined);
    await eventually('it is over', () => ended.length === 21);
  });

  it('names a bounded number of jobs in one call', async () => {
    await jobs(Object.fromEntries(Array.from({ length: 1_201 }, (_, i) => [`job-${i}`, 7])));
    const { reconciler, armada, rounds: ended } = scriptedReconciler(clock);
    for (let i = 0; i < 1_201; i++) armada.ends.set(JobId(`job-${i}`), { state: 'CANCELLED' });
    (await hold(reconciler)).rounds.tick();
    await eventually('the round ends', () => ended.length > 0);
    expect(armada.calls.map((ids) => ids.length)).toEqual([500, 500, 201]);
    expect(ended).toEqual([[key, 1_201]]);
  });

  it('compares a job set once an hour, whichever replica owns it', async () => {
    await jobs({ job: 7 });
    const first = scriptedReconciler(clock);
    const { rounds, batchWriter } = await hold(first.reconciler);
    for (let i = 0; i < 3; i++) rounds.tick();
    await eventually('the round ends', () => first.rounds.length > 0);
    rounds.tick();
    await batchWriter.close();
    const other = scriptedReconciler(clock);
    const { rounds: others } = await hold(other.reconciler);
    others.tick();
    const shared = key;
    await behind(other);
    expect(first.rounds).toHaveLength(1);
    expect(other.rounds).toEqual([[key, 0]]);
    pass(HOUR + 60_000);
    others.tick();
    await eventually('another round ends', () => other.rounds.some(([of]) => of === shared));
  });

  it('never compares a job set without unfinished jobs', async () => {
    await jobs({ job: 7 }, { state: 'SUCCEEDED', cursorAge: 15 * 24 });
    const scripted = scriptedReconciler(clock);
    (await hold(scripted.reconciler)).rounds.tick();
    await behind(scripted);
    expect(scripted.rounds).toEqual([[key, 0]]);
  });

  it('tries again some minutes after Armada did not answer, by what has passed', async () => {
    await jobs({ job: 7 });
    const { reconciler, armada, rounds: ended } = scriptedReconciler(clock);
    armada.ends.set(JobId('job'), { state: 'SUCCEEDED' });
    armada.errors.push(new Error('UNAVAILABLE'));
    const { rounds } = await hold(reconciler);
    rounds.tick();
    await eventually('the round fails', () => ended.length === 1);
    rounds.tick();
    // That a clock is set back meanwhile delays nothing.
    now = addMs(now, -HOUR / 2);
    pass(300_000);
    rounds.tick();
    await eventually('the next one ends', () => ended.length === 2);
    expect(ended).toEqual([
      [key, 0, 'UNAVAILABLE'],
      [key, 1],
    ]);
  });

  it('ends for good, reported once, where Armada has no such method', async () => {
    await jobs({ job: 7 });
    const { reconciler, armada, rounds: ended, switchedOff } = scriptedReconciler(clock);
    armada.errors.push(new NoApiJobsError('UNIMPLEMENTED: unknown service api.Jobs'));
    const { rounds } = await hold(reconciler);
    rounds.tick();
    await eventually('it is switched off', () => switchedOff.length > 0);
    pass(2 * HOUR);
    const { rounds: others } = await hold(reconciler);
    for (const some of [rounds, others]) some.tick();
    await behind(scriptedReconciler(clock));
    expect(switchedOff).toEqual(['UNIMPLEMENTED: unknown service api.Jobs']);
    expect([armada.calls.length, ended]).toEqual([1, []]);
  });

  it('compares one job set after the other', async () => {
    const { reconciler, armada, rounds: ended } = scriptedReconciler(clock);
    let open: () => void = ignore;
    const opened = new Promise<void>((resolve) => (open = resolve));
    armada.before = () => opened;
    for (let n = 0; n < 3; n++) {
      key = { queue: 'q', jobSetId: `s${++sets}` };
      await jobs({ job: 7 });
      (await hold(reconciler)).rounds.tick();
    }
    await eventually('the first is compared', () => armada.calls.length > 0);
    expect(armada.calls).toHaveLength(1);
    open();
    await eventually('all are done', () => ended.length === 3);
  });

  it('calls Armada no more, and changes nothing, once the job set is given back', async () => {
    await jobs(Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`job-${i}`, 7])));
    const { reconciler, armada, rounds: ended } = scriptedReconciler(clock);
    for (let i = 0; i < 600; i++) armada.ends.set(JobId(`job-${i}`), { state: 'CANCELLED' });
    const { rounds } = await hold(reconciler);
    armada.before = () => {
      rounds.stop();
      return Promise.resolve();
    };
    rounds.tick();
    await eventually('Armada is called', () => armada.calls.length > 0);
    const next = scriptedReconciler(clock);
    next.armada.before = () => Promise.reject(new Error('the next round'));
    (await hold(next.reconciler)).rounds.tick();
    await eventually('another owner begins', () => next.rounds.length > 0);
    expect(armada.calls).toHaveLength(1);
    expect(ended).toEqual([]);
    expect(await stateOf(JobId('job-1'))).toBe('RUNNING');
  });
});
