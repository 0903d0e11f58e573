import { jest } from '@jest/globals';
import { Cursor, JobId, ArmadaTime, toMs, RedisTime } from '@ajs/job-state';
import type { Batch, JobSink } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { completesWithin } from '@ajs/platform';
import { eventually } from '@ajs/testing';
import { BatchPacer } from './batch-pacer.js';
import { Backoff } from './backoff.js';
import type { StreamEnd } from './event-source.js';
import { JobSetReflector } from './job-set-reflector.js';
import { REFLECTOR_TIMING, type ReflectorTiming } from './reflector-timing.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { ScriptedLease } from '../testing/scripted-lease.js';
import { ScriptedQuota } from '../testing/scripted-quota.js';
import { scriptedReconciler } from '../testing/scripted-reconciler.js';
import { ScriptedSource, aMessage, running, type OpenedStream } from '../testing/scripted-source.js';

const KEY = { queue: 'q', jobSetId: 's' };
const END: StreamEnd = { kind: 'end', reason: '' };
const HOURS = 3_600_000;
const SOON: Partial<ReflectorTiming> = { firstRetryMs: 1, maxRetryMs: 5, maxDeniedRetryMs: 5 };
const ignore = (): void => undefined;
const started: JobSetReflector[] = [];
afterEach(() => started.splice(0).forEach((reflector) => reflector.stop()));

function follow(timing: Partial<ReflectorTiming> = {}, sink?: JobSink, lease = new ScriptedLease()) {
  const { reconciler, armada } = scriptedReconciler();
  const store = new MemoryJobStore();
  const source = new ScriptedSource();
  const quota = new ScriptedQuota();
  const ends: [kind: string, inARow: number][] = [];
  const stale: unknown[] = [];
  const reflector = new JobSetReflector({
    key: KEY,
    sink: sink ?? store,
    source,
    lease,
    observer: {
      ...SILENT_OBSERVER,
      streamEnded: (_, { kind }, __, inARow) => ends.push([kind, inARow]),
      staleWriter: (key) => stale.push(key),
    },
    reconciler,
    pacer: new BatchPacer(),
    quota: quota,
    timing: { ...REFLECTOR_TIMING, checkSilentWatchAfterMs: HOURS, ...timing },
  });
  started.push(reflector);
  const done = reflector.run();
  const stream = (n: number): Promise<OpenedStream> => eventually(`stream ${n}`, () => source.opened[n]);
  const view = () => store.read(KEY, [JobId('job')]);
  const inState = (state: string) =>
    eventually(`the subscription is ${state}`, async () => {
      const { subscription } = await view();
      return subscription?.state === state ? subscription : undefined;
    });
  /** Lets the catch-up find these messages and end; gives the watch that follows. */
  const catchUp = async (...messages: ReturnType<typeof running>[]): Promise<OpenedStream> => {
    const read = await stream(source.opened.length === 0 ? 0 : source.opened.length - 1);
    for (const message of messages) read.listener.message(message);
    source.end(read, END);
    return eventually('the watch', () => source.live.find(({ request }) => request.watch));
  };
  return {
    store,
    source,
    quota,
    lease,
    armada,
    ends,
    stale,
    reflector,
    done,
    stream,
    view,
    inState,
    catchUp,
  };
}

/** The store, with a look at every batch before it is written. */
function watched(store: MemoryJobStore, before: (batch: Batch) => Promise<unknown>): JobSink {
  return {
    open: async (key) => {
      const writer = await store.open(key);
      const write = writer.write.bind(writer);
      return Object.assign(writer, { write: (batch: Batch) => before(batch).then(() => write(batch)) });
    },
  };
}

describe('a reflector', () => {
  it('reads what exists, then watches from there, and is live', async () => {
    const { stream, catchUp, inState, view } = follow();
    expect((await stream(0)).request).toEqual({ key: KEY, from: '', watch: false });
    const watch = await catchUp(running(1), aMessage(2));
    expect(watch.request).toEqual({ key: KEY, from: '2:0:0:1', watch: true });
    expect((await inState('live')).syncedAt).toEqual(expect.any(Number));
    watch.listener.message(
      aMessage(3, { kind: 'succeeded', jobId: JobId('job'), at: ArmadaTime(3), placement: {} }),
    );
    await eventually(
      'the event is folded',
      async () => (await view()).jobs.get(JobId('job'))?.state === 'SUCCEEDED',
    );
  });

  it('does not open its job set before it holds the lease: that would take it from its owner', async () => {
    const lease = new ScriptedLease();
    let give = ignore;
    const given = new Promise<void>((resolve) => (give = resolve));
    lease.whenHeld = () => given;
    const store = new MemoryJobStore();
    let opened = 0;
    const { stream } = follow({}, { open: (key) => (opened++, store.open(key)) }, lease);
    await new Promise((resolve) => setImmediate(resolve));
    expect(opened).toBe(0);
    give();
    await stream(0);
    expect(opened).toBe(1);
  });

  it('reports that it catches up with the first batch that it reads', async () => {
    const { stream, inState } = follow();
    const { listener } = await stream(0);
    for (let ms = 1; ms <= 500; ms++) listener.message(running(ms));
    await inState('catching-up');
  });

  it('opens no stream after another owner wrote the job set until it has opened the job set again', async () => {
    const store = new MemoryJobStore();
    let refusals = 20;
    let opened = 0;
    const sink: JobSink = {
      // As while Redis fails over: the job set can be opened again only after a while.
      open: (key) =>
        opened++ === 0 || refusals-- === 0
          ? store.open(key)
          : Promise.reject(new Error('Connection is closed.')),
    };
    const { source, reflector, stale, catchUp } = follow(SOON, sink);
    await catchUp(running(1));
    await (
      await store.open(KEY)
    ).write({
      cursor: Cursor('2:0:0:1'),
      records: new Map(),
      subscription: { state: 'live', reason: '' },
    });
    reflector.heartbeat();
    await eventually('it is open again', () => refusals < 0 && source.live.length > 0);
    expect(stale).toHaveLength(1);
    expect(source.live.map(({ request }) => request)).toEqual([{ key: KEY, from: '2:0:0:1', watch: false }]);
    expect(source.opened).toHaveLength(3);
  });

  it('resumes from the cursor that Redis holds', async () => {
    const store = new MemoryJobStore();
    const writer = await store.open(KEY);
    await writer.write({
      cursor: Cursor('7:0:0:1'),
      records: new Map(),
      subscription: { state: 'live', reason: '' },
    });
    const { stream } = follow({}, store);
    expect((await stream(0)).request.from).toBe('7:0:0:1');
  });

  it('reads again from what it accepted when a stream fails, backing off', async () => {
    const { source, catchUp, inState, stream, ends } = follow(SOON);
    const watch = await catchUp(running(1));
    watch.listener.message(running(2));
    source.end(watch, { kind: 'retry', reason: 'UNAVAILABLE: bye' });
    expect((await inState('connecting')).reason).toBe('UNAVAILABLE: bye');
    const read = await stream(2);
    expect(read.request).toMatchObject({ from: '2:0:0:1', watch: false });
    source.end(read, { kind: 'retry', reason: 'UNAVAILABLE: still' });
    source.end(await stream(3), END);
    await inState('live');
    expect(ends).toEqual([
      ['retry', 1],
      ['retry', 2],
    ]);
  });

  it('reports that the queue may not be watched, releases its watch, and reports when it tries again', async () => {
    const { source, quota, stream, inState, done } = follow(SOON);
    source.end(await stream(0), { kind: 'denied', reason: 'PERMISSION_DENIED: no' });
    const subscription = await inState('denied');
    expect(subscription.reason).toBe('PERMISSION_DENIED: no');
    expect(subscription.nextReadAt).toEqual(expect.any(Number));
    expect(await done).toEqual({ kind: 'read-later', inMs: expect.any(Number) as number });
    expect(quota.isWatched).toBe(false);
  });

  it('reports that a queue is gone only after a while: servers learn of new ones late', async () => {
    const { source, stream, inState, view, done } = follow({ ...SOON, goneAfterMs: 60 });
    source.end(await stream(0), { kind: 'gone', reason: 'NOT_FOUND: no queue' });
    const subscription = await eventually('the reason', async () => {
      const { subscription } = await view();
      return subscription?.reason === '' ? undefined : subscription;
    });
    expect(subscription).toEqual({ state: 'connecting', reason: 'NOT_FOUND: no queue' });
    const over = { isOver: false };
    void done.then(() => (over.isOver = true));
    for (let n = 1; !over.isOver; n++) {
      const read = await eventually('another read, or the end', () => over.isOver || source.opened[n]);
      if (read !== true) source.end(read, { kind: 'gone', reason: 'NOT_FOUND: no queue' });
    }
    // Then it has no jobs, as of a read that said so.
    expect((await inState('gone')).syncedAt).toEqual(expect.any(Number));
  });

  it('reads beside the watch when a poll requests it, and is synced as of then', async () => {
    const { source, reflector, catchUp, inState, view } = follow({ readRequestSpacingMs: 0 });
    await catchUp(running(1));
    const before = toMs((await inState('live')).syncedAt ?? RedisTime(0));
    const askedAt = performance.now();
    reflector.requestRead();
    const read = await eventually('the read', () => source.live.find(({ request }) => !request.watch));
    expect(read.request.from).toBe('1:0:0:1');
    source.end(read, END);
    await eventually(
      'it is synced',
      async () => toMs((await view()).subscription?.syncedAt ?? RedisTime(0)) >= askedAt,
    );
    expect(before).toBeLessThan(askedAt);
    expect(source.live).toHaveLength(1);
  });

  it('begins requested reads no more often than their spacing allows', async () => {
    const { source, reflector, catchUp, inState } = follow({ readRequestSpacingMs: HOURS });
    await catchUp();
    await inState('live');
    for (let i = 0; i < 10; i++) reflector.requestRead();
    expect(source.opened).toHaveLength(2);
  });

  it('checks a silent watch by a read, accepts what the watch lacks, and reopens it', async () => {
    const { source, catchUp, view, stream } = follow({
      ...SOON,
      checkSilentWatchAfterMs: 0,
      reopenLaggingWatchAfterMs: 0,
    });
    const watch = await catchUp();
    const read = await eventually('the read', () => source.live.find(({ request }) => !request.watch));
    read.listener.message(running(5));
    source.end(read, END);
    await eventually('it is folded', async () => (await view()).jobs.get(JobId('job'))?.state === 'RUNNING');
    await eventually('the watch is closed', () => watch.ended);
    expect(await eventually('another', () => source.live[0])).toMatchObject({ request: { from: '5:0:0:1' } });
    expect((await stream(0)).ended).toBe(true);
  });

  it('is not live any more where a watch is silent and its checks fail, though the watch stays open', async () => {
    const { source, catchUp, inState } = follow({
      ...SOON,
      checkSilentWatchAfterMs: 0,
      reopenUnprovenWatchAfterMs: 200,
    });
    const watch = await catchUp();
    await inState('live');
    const end = { kind: 'retry', reason: 'Armada sent nothing for 10 s and did not end the read' } as const;
    await eventually('it is closed', () => {
      const check = source.live.find(({ request }) => !request.watch);
      if (check !== undefined) source.end(check, end);
      return watch.ended;
    });
    expect((await inState('connecting')).reason).toBe(end.reason);
  });

  it.each(['denied', 'gone'] as const)('closes a watch that goes on though the queue is %s', async (kind) => {
    const { source, catchUp, inState } = follow({
      ...SOON,
      goneAfterMs: 0,
      checkWatchEveryMs: 0,
    });
    const watch = await catchUp();
    await inState('live');
    // It never falls silent: only the time since the last read counts.
    const more = setInterval(() => watch.listener.message(running(Date.now())), 20);
    try {
      const read = await eventually('the read', () => source.live.find(({ request }) => !request.watch));
      source.end(read, { kind, reason: 'no' });
      expect((await inState(kind)).reason).toBe('no');
      expect(watch.ended).toBe(true);
      expect(source.live.filter(({ request }) => request.watch)).toEqual([]);
    } finally {
      clearInterval(more);
    }
  });

  it('opens the job set again when another owner wrote it, and goes on from what is there', async () => {
    const { store, source, catchUp, stale, inState } = follow(SOON);
    const watch = await catchUp(running(1));
    await inState('live');
    const other = await store.open(KEY);
    await other.write({
      cursor: Cursor('9:0:0:1'),
      records: new Map(),
      subscription: { state: 'live', reason: '' },
    });
    watch.listener.message(running(2));
    await eventually('it noticed', () => stale.length === 1);
    const read = await eventually('it reads again', () =>
      source.live.find(({ request }) => request.from === '9:0:0:1'),
    );
    expect(read.request.watch).toBe(false);
  });

  it('leaves its job set deleted once that is not polled any more, and does not begin it anew', async () => {
    const { store, quota, reflector, catchUp, done, stale, source } = follow(SOON);
    await catchUp(running(1));
    quota.wasForgotten = true;
    expect(await store.remove(KEY, 0)).toBe(true);
    reflector.heartbeat();
    expect(await completesWithin(30_000, done)).toBe(true);
    expect(await done).toEqual({ kind: 'done' });
    expect([stale.length, source.live]).toEqual([1, []]);
    expect((await store.read(KEY, [])).subscription).toBeUndefined();
  });

  it('keeps its streams open while provisional jobs are added', async () => {
    const { store, source, catchUp, stale, inState, view } = follow({ heartbeatEveryMs: 0 });
    const watch = await catchUp(running(1));
    await inState('live');
    await store.addProvisionalJobs(KEY, [
      { jobId: JobId('provisional'), state: 'QUEUED', changedAt: ArmadaTime(1) },
    ]);
    watch.listener.message(
      aMessage(2, { kind: 'succeeded', jobId: JobId('job'), at: ArmadaTime(2), placement: {} }),
    );
    await eventually(
      'it is folded',
      async () => (await view()).jobs.get(JobId('job'))?.state === 'SUCCEEDED',
    );
    expect(source.live).toEqual([watch]);
    expect(source.opened).toHaveLength(2);
    expect(stale).toEqual([]);
  });

  it('gives jobs whose end the stream does not show the end that Armada reports', async () => {
    const { store, armada, catchUp, inState, source, view, stream } = follow();
    // Long ago, by the clock that events have.
    (await stream(0)).listener.message(running(1));
    armada.ends.set(JobId('job'), { state: 'FAILED', at: ArmadaTime(5), failure: { reason: 'exit 7' } });
    await eventually('it is folded', async () => (await view()).jobs.get(JobId('job'))?.state === 'RUNNING');
    expect(armada.calls).toEqual([]);
    await catchUp();
    await inState('live');
    await eventually('it has ended', async () => (await view()).jobs.get(JobId('job'))?.state === 'FAILED');
    expect((await store.readDetails(KEY, [JobId('job')])).jobs.get(JobId('job'))?.record).toMatchObject({
      failure: { reason: 'exit 7' },
      lastEvent: { ms: 1 },
    });
    expect(source.opened).toHaveLength(2);
  });

  it('reads once without a watch, and reports when it reads again', async () => {
    const { quota, source, stream, done, view } = follow();
    quota.isWatched = false;
    quota.step = { readInMs: 30_000 };
    const read = await stream(0);
    read.listener.message(running(1));
    const endedAt = performance.now();
    source.end(read, END);
    expect(await done).toEqual({ kind: 'read-later', inMs: expect.closeTo(30_000, -3) as number });
    const { subscription, jobs } = await view();
    expect(jobs.get(JobId('job'))?.state).toBe('RUNNING');
    expect(subscription?.state).toBe('live');
    expect(subscription?.syncedAt).toBeLessThanOrEqual(endedAt);
    expect(subscription?.nextReadAt).toBeGreaterThanOrEqual(endedAt + 30_000);
    expect(source.opened).toHaveLength(1);
  });

  it('does not let a poll wait that requested a read since the last one began, without a watch', async () => {
    const { quota, source, stream, done, reflector } = follow({ readRequestSpacingMs: 0 });
    quota.isWatched = false;
    quota.step = { readInMs: 30_000 };
    const read = await stream(0);
    reflector.requestRead();
    source.end(read, END);
    expect(await done).toEqual({ kind: 'read-later', inMs: 0 });
  });

  it('is synced, reads for a poll and stops while a reconciling round takes long, without a watch', async () => {
    const { quota, source, stream, armada, done, reflector, inState } = follow({ readRequestSpacingMs: 0 });
    quota.isWatched = false;
    quota.step = { readInMs: 30_000 };
    armada.before = () => new Promise(ignore);
    const read = await stream(0);
    read.listener.message(running(1));
    source.end(read, END);
    await eventually('the round', () => armada.calls.length === 1);
    const subscription = await inState('live');
    expect([subscription.syncedAt, subscription.nextReadAt]).toEqual([
      expect.any(Number),
      expect.any(Number),
    ]);
    reflector.requestRead();
    source.end(await stream(1), END);
    reflector.stop();
    expect(await done).toEqual({ kind: 'stopped' });
    expect(armada.calls).toHaveLength(1);
  });

  it('claims no watch once the job set is not polled any more', async () => {
    const { quota, source, stream, done, view } = follow();
    quota.step = 'done';
    source.end(await stream(0), END);
    expect(await done).toEqual({ kind: 'done' });
    expect((await view()).subscription).toMatchObject({
      state: 'live',
      nextReadAt: expect.any(Number) as number,
    });
  });

  it('ends after a read that failed, to be read again later, without a watch', async () => {
    const { quota, source, stream, done, view, ends } = follow(SOON);
    quota.isWatched = false;
    source.end(await stream(0), { kind: 'retry', reason: 'UNAVAILABLE: bye' });
    expect(await done).toEqual({ kind: 'read-later', inMs: expect.any(Number) as number });
    expect((await view()).subscription).toMatchObject({ state: 'connecting', reason: 'UNAVAILABLE: bye' });
    expect(ends).toEqual([['retry', 1]]);
  });

  it('ends where the job set is not polled any more', async () => {
    const { quota, source, stream, done } = follow();
    quota.isWatched = false;
    quota.step = 'done';
    source.end(await stream(0), END);
    expect(await done).toEqual({ kind: 'done' });
  });

  it('reads once more when its watch is revoked, from where it was, and then on a schedule', async () => {
    const { quota, source, reflector, catchUp, done, stream } = follow();
    const watch = await catchUp(running(1));
    watch.listener.message(running(2));
    quota.step = { readInMs: 30_000 };
    quota.isWatched = false;
    reflector.closeWatch();
    expect(watch.ended).toBe(true);
    const read = await stream(2);
    expect(read.request).toMatchObject({ from: '2:0:0:1', watch: false });
    source.end(read, END);
    expect(await done).toEqual({ kind: 'read-later', inMs: expect.closeTo(30_000, -3) as number });
  });

  it('opens no watch that was revoked before it was open', async () => {
    const { quota, source, stream, reflector, done } = follow();
    quota.isWatched = false;
    source.end(await stream(0), END);
    source.end(await stream(1), END);
    await stream(2);
    expect(source.opened.every(({ request }) => !request.watch)).toBe(true);
    reflector.stop();
    expect(await done).toEqual({ kind: 'stopped' });
  });

  it('writes heartbeats while nothing comes', async () => {
    const store = new MemoryJobStore();
    const written: Batch[] = [];
    const { stream, source } = follow(
      { heartbeatEveryMs: 0 },
      watched(store, (batch) => Promise.resolve(written.push(batch))),
    );
    source.end(await stream(0), END);
    await eventually('three of them', () => written.length > 4);
    expect(written.every(({ records, cursor }) => records.size === 0 && cursor === '')).toBe(true);
  });

  it('ends without a trace of what it may no longer write when the lease is lost', async () => {
    const { lease, catchUp, done, view, inState, source } = follow(SOON);
    const watch = await catchUp();
    await inState('live');
    lease.held = false;
    watch.listener.message(running(1));
    expect(await done).toEqual({ kind: 'lease-lost' });
    expect((await view()).jobs.size).toBe(0);
    expect(source.live).toEqual([]);
  });

  it('has written what it accepted when it is stopped, and leaves no stream open', async () => {
    const { catchUp, reflector, done, view, source } = follow();
    const watch = await catchUp();
    watch.listener.message(running(1));
    reflector.stop();
    await done;
    expect((await view()).jobs.get(JobId('job'))?.state).toBe('RUNNING');
    expect(source.live).toEqual([]);
  });

  it('pauses the streams while Redis is slow', async () => {
    const store = new MemoryJobStore();
    let open: () => void = ignore;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const { stream } = follow(
      {},
      watched(store, () => opened),
    );
    const read = await stream(0);
    for (let ms = 1; ms <= 2_000; ms++) read.listener.message(running(ms));
    expect(read.paused).toBe(true);
    open();
    await eventually('it goes on', () => !read.paused);
  });

  it('backs off from a store that fails again and again, and from the beginning after a while without', async () => {
    const waits = jest.spyOn(Backoff.prototype, 'next');
    const store = new MemoryJobStore();
    let refusals = 3;
    const sink: JobSink = {
      open: (key) => (refusals-- > 0 ? Promise.reject(new Error('Connection is closed.')) : store.open(key)),
    };
    const { reflector, stale, catchUp } = follow(SOON, sink);
    await eventually('it is open', async () => (await store.read(KEY, [])).subscription);
    await catchUp();
    const openSince = performance.now();
    await eventually('it was open for longer than the longest wait', () => performance.now() > openSince + 6);
    await (
      await store.open(KEY)
    ).write({ cursor: Cursor('2:0:0:1'), records: new Map(), subscription: { state: 'live', reason: '' } });
    reflector.heartbeat();
    await eventually('it backs off', () => stale.length === 1 && waits.mock.results.length === 4);
    const [first, second, third, afterwards] = waits.mock.results.map(({ value }) => Number(value));
    waits.mockRestore();
    expect(first).toBeLessThanOrEqual(1);
    expect(second).toBeGreaterThanOrEqual(1);
    expect(third).toBeGreaterThanOrEqual(2);
    expect(afterwards).toBeLessThanOrEqual(1);
  });

  it('backs off for longer from a store that fails again after a moment', async () => {
    const waits = jest.spyOn(Backoff.prototype, 'next');
    const store = new MemoryJobStore();
    const { reflector, stale, stream } = follow({ firstRetryMs: 1, maxRetryMs: HOURS }, store);
    for (const n of [0, 1, 2]) {
      await stream(n);
      await (
        await store.open(KEY)
      ).write({
        cursor: Cursor(`${n}:0:0:1`),
        records: new Map(),
        subscription: { state: 'live', reason: '' },
      });
      reflector.heartbeat();
      await eventually('it backs off', () => stale.length === n + 1);
    }
    const [first, , third] = waits.mock.results.map(({ value }) => Number(value));
    waits.mockRestore();
    expect(first).toBeLessThanOrEqual(1);
    expect(third).toBeGreaterThanOrEqual(2);
  });

  it('opens nothing once it was stopped while the store opened its job set', async () => {
    const store = new MemoryJobStore();
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let written = 0;
    const sink = watched(store, () => Promise.resolve(written++));
    const { reflector, done, source } = follow({}, { open: (key) => opened.then(() => sink.open(key)) });
    reflector.stop();
    expect(await done).toEqual({ kind: 'stopped' });
    open();
    await eventually('it is open', async () => (await store.read(KEY, [])).subscription);
    reflector.heartbeat();
    await new Promise((resolve) => setImmediate(resolve));
    expect([source.opened, written]).toEqual([[], 0]);
  });

  it('leaves its watch as it is while its lease is suspended', async () => {
    const { lease, catchUp, inState, source } = follow({
      ...SOON,
      checkSilentWatchAfterMs: 0,
      heartbeatEveryMs: 0,
    });
    const watch = await catchUp();
    await inState('live');
    let looks = 0;
    let waits = 0;
    lease.whenHeld = () => {
      waits++;
      return new Promise(ignore);
    };
    lease.isHeld = () => {
      looks++;
      return false;
    };
    await eventually('it looked a few times', () => looks > 3);
    expect([waits, source.live]).toEqual([0, [watch]]);
  });

  it.each(['reads', 'backs off'])('leaves no timer behind when it is stopped while it %s', async (what) => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    try {
      const { reflector, stream, source, done, quota } = follow();
      const read = await stream(0);
      if (what === 'backs off') {
        source.end(read, { kind: 'retry', reason: 'UNAVAILABLE: bye' });
        expect([quota.isWatched, jest.getTimerCount()]).toEqual([true, 2]);
      }
      reflector.stop();
      await done;
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });
});
