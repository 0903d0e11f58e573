import { jest } from '@jest/globals';
import { StaleWriterError, type Batch, type JobSetWriter } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { Cursor, JobId, ArmadaTime, MonotonicTime, type RedisTime } from '@ajs/job-state';
import { LoopProgress, completesWithin } from '@ajs/platform';
import { ManualClock, eventually } from '@ajs/testing';
import { Backoff } from './backoff.js';
import { BatchPacer } from './batch-pacer.js';
import { BatchWriter } from './batch-writer.js';
import { LeaseLostError } from './lease.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { ScriptedLease } from '../testing/scripted-lease.js';
import { aMessage, running } from '../testing/scripted-source.js';

const KEY = { queue: 'q', jobSetId: 's' };
const MAX_RELOADS = 10;
const ignore = (): void => undefined;

/** A writer that lets a test see what it is given, and make it wait or fail. */
class WatchedWriter implements JobSetWriter {
  readonly key = KEY;
  readonly batches: Batch[] = [];
  before: () => Promise<void> = () => Promise.resolve();
  /** Writes that were begun. */
  begun = 0;
  private reloads = 0;

  constructor(private readonly writer: JobSetWriter) {}

  get cursor(): Cursor {
    return this.writer.cursor;
  }

  get unfinished(): number {
    return this.writer.unfinished;
  }

  /** What the next writes find. */
  eventLagMs = 0;

  load(jobIds: Iterable<JobId>): ReturnType<JobSetWriter['load']> {
    return this.writer.load(jobIds);
  }

  async write(batch: Batch): Promise<RedisTime> {
    this.begun++;
    await this.before();
    const writtenAt = await this.writer.write(batch);
    this.batches.push(batch);
    return writtenAt;
  }

  reload(): Promise<boolean> {
    if (++this.reloads > MAX_RELOADS) return Promise.reject(new Error('it is reloaded without end'));
    return this.writer.reload();
  }

  unfinishedJobs(): AsyncIterable<ReadonlyMap<JobId, ArmadaTime>> {
    return this.writer.unfinishedJobs();
  }
}

async function setUp(now?: () => number) {
  const store = new MemoryJobStore(now);
  const writer = new WatchedWriter(await store.open(KEY));
  const pauses: boolean[] = [];
  /** What was written when the streams were resumed. */
  const resumedAt: string[] = [];
  const failures: unknown[] = [];
  const writeFailures: Error[] = [];
  const lags: number[] = [];
  /** The age of the oldest event of each batch that was written. */
  const ages: (number | undefined)[] = [];
  const lease = new ScriptedLease();
  /** How many messages were written. */
  let written = 0;
  const observer = {
    ...SILENT_OBSERVER,
    eventsLag: (_: unknown, lagMs: number) => lags.push(lagMs),
    batchWritten: (messages: number, ageMs: number | undefined) => {
      written += messages;
      ages.push(ageMs);
    },
    writeFailed: (_: unknown, error: Error) => writeFailures.push(error),
  };
  const feed = {
    pause: () => pauses.push(true),
    resume: () => {
      pauses.push(false);
      resumedAt.push(writer.cursor);
    },
    fail: (error: unknown) => failures.push(error),
  };
  const clock = new ManualClock();
  const progress = new LoopProgress(1_000, () => clock.monotonic());
  const batchWriter = new BatchWriter(writer, lease, observer, feed, progress, new BatchPacer());
  return {
    store,
    writer,
    batchWriter,
    pauses,
    resumedAt,
    failures,
    writeFailures,
    lags,
    ages,
    lease,
    written: () => written,
    clock,
    progress,
  };
}

/** Redis' clock, which has nothing to do with that of this process. */
const redisNow = (): number => performance.now() + 1_700_000_000_000;

/** Holds every write until it is called. */
function gate(writer: WatchedWriter): () => void {
  let open: () => void = ignore;
  const opened = new Promise<void>((resolve) => (open = resolve));
  writer.before = () => opened;
  return open;
}

describe('a batch writer', () => {
  it('writes what it accepts, with the cursor of the last message', async () => {
    const { store, batchWriter, writer } = await setUp();
    batchWriter.accept(running(1, JobId('a')));
    batchWriter.accept(aMessage(2));
    await eventually('it is written', () => writer.cursor === '2:0:0:1');
    expect((await store.read(KEY, [JobId('a')])).jobs.get(JobId('a'))?.state).toBe('RUNNING');
    expect(writer.batches).toHaveLength(1);
  });

  it('says how old the oldest event of a batch is, but for what is older than the first read', async () => {
    let now = 1_000;
    const { batchWriter, ages, store, lease, progress } = await setUp(() => now);
    const flush = async (to: BatchWriter, ...times: number[]) => {
      for (const ms of times) to.accept(running(ms));
      await to.flushed();
    };
    await flush(batchWriter, 1);
    batchWriter.markSynced(MonotonicTime(5));
    await batchWriter.flushed();
    now = 1_500;
    await flush(batchWriter, 700, 1_400);
    batchWriter.accept(aMessage(1_410));
    await batchWriter.flushed();
    // Armada's clock is ahead of Redis'.
    await flush(batchWriter, 2_000);
    expect(ages).toEqual([undefined, 800, undefined, 0]);
    const later: unknown[] = [];
    const observer = { ...SILENT_OBSERVER, batchWritten: (_: number, ageMs?: number) => later.push(ageMs) };
    const feed = { pause: ignore, resume: ignore, fail: ignore };
    now = 3_000;
    // The next owner goes on from the cursor.
    const pacer = new BatchPacer();
    await flush(new BatchWriter(await store.open(KEY), lease, observer, feed, progress, pacer), 2_100);
    expect(later).toEqual([900]);
  });

  it('says with each batch up to which time its events are, and nothing of it without an event', async () => {
    const { batchWriter, writer } = await setUp();
    for (const ms of [1, 2]) batchWriter.accept(running(ms, JobId('a')));
    batchWriter.accept({ ...aMessage(3, { kind: 'queued', jobId: JobId('b'), at: ArmadaTime(1) }) });
    await eventually('they are written', () => writer.batches.length === 1);
    batchWriter.accept(aMessage(4));
    await eventually('it is written', () => writer.batches.length === 2);
    expect(writer.batches.map(({ shownUntil }) => shownUntil)).toEqual([ArmadaTime(2), undefined]);
  });

  it('reports by how much events lag with each write while they do, and once that they do not any more', async () => {
    const { batchWriter, writer, lags } = await setUp();
    const lagsMs = [0, 9_000, 12_000, 0, 0];
    for (const [i, lagMs] of lagsMs.entries()) {
      writer.eventLagMs = lagMs;
      batchWriter.heartbeat();
      await eventually('it is written', () => writer.batches.length === i + 1);
      await batchWriter.flushed();
    }
    expect(lags).toEqual([9_000, 12_000, 0]);
  });

  it.each(['close', 'abort'] as const)('does not leave a lag behind at its end: %s', async (end) => {
    const { batchWriter, writer, lags } = await setUp();
    writer.eventLagMs = 9_000;
    batchWriter.heartbeat();
    await eventually('it is reported', () => lags.length === 1);
    await batchWriter.flushed();
    if (end === 'close') await batchWriter.close();
    else batchWriter.abort();
    expect(lags).toEqual([9_000, 0]);
  });

  it('does not leave a lag behind when nothing more can be written', async () => {
    const { batchWriter, writer, lags, failures } = await setUp();
    writer.eventLagMs = 9_000;
    batchWriter.heartbeat();
    await eventually('it is reported', () => lags.length === 1);
    writer.before = () => Promise.reject(new TypeError('a defect'));
    batchWriter.heartbeat();
    await eventually('it has failed', () => failures.length === 1);
    expect(lags).toEqual([9_000, 0]);
  });

  it('accepts each message once and in one order, however streams overlap', async () => {
    const { batchWriter, writer, written } = await setUp();
    for (const ms of [1, 2, 3, 3, 2, 3, 4, 1]) batchWriter.accept(running(ms, JobId(`job-${ms}`)));
    await eventually('it is written', () => writer.cursor === '4:0:0:1');
    const jobs = writer.batches.flatMap(({ records }) => [...records.keys()]);
    expect(jobs).toEqual(['job-1', 'job-2', 'job-3', 'job-4']);
    expect(written()).toBe(4);
  });

  it('pauses the streams while Redis is slow, and resumes them afterwards', async () => {
    const { batchWriter, writer, pauses, resumedAt } = await setUp();
    const open = gate(writer);
    const accept = (ms: number): void => batchWriter.accept(running(ms, JobId(`job-${ms}`)));
    for (let ms = 1; ms < 2_000; ms++) accept(ms);
    expect(pauses).toEqual([]);
    accept(2_000);
    expect(pauses).toEqual([true]);
    open();
    await eventually('all is written', () => writer.cursor === '2000:0:0:1');
    expect([pauses, resumedAt]).toEqual([[true, false], ['1500:0:0:1']]);
    expect(writer.batches.map(({ records }) => records.size)).toEqual([500, 500, 500, 500]);
  });

  it('writes the same batch again after a failure, before anything newer', async () => {
    const { batchWriter, writer, writeFailures } = await setUp();
    let left = 2;
    writer.before = () =>
      left-- > 0 ? Promise.reject(new Error('Connection is closed.')) : Promise.resolve();
    batchWriter.accept(running(1, JobId('a')));
    await eventually('a write failed', () => writeFailures.length === 1);
    batchWriter.accept(running(2, JobId('b')));
    await eventually('all is written', () => writer.cursor === '2:0:0:1');
    expect(writeFailures.map(({ message }) => message)).toEqual([
      'Connection is closed.',
      'Connection is closed.',
    ]);
    expect(writer.batches.map(({ cursor }) => cursor)).toEqual(['1:0:0:1', '2:0:0:1']);
  });

  it('waits after a failure no longer than after the first, once a write has succeeded', async () => {
    const waits = jest.spyOn(Backoff.prototype, 'next');
    const { batchWriter, writer } = await setUp();
    for (const failing of [3, 1]) {
      let left = failing;
      writer.before = () =>
        left-- > 0 ? Promise.reject(new Error('Connection is closed.')) : Promise.resolve();
      batchWriter.heartbeat();
      await eventually('it is written', () => left < 0);
      await batchWriter.flushed();
    }
    expect(waits.mock.results.map(({ value }) => Number(value) <= 50)).toEqual([true, false, false, true]);
    waits.mockRestore();
  });

  it('has not failed when it was stopped between two tries', async () => {
    const { batchWriter, writer, failures, writeFailures } = await setUp();
    writer.before = () => Promise.reject(new Error('Connection is closed.'));
    batchWriter.accept(running(1));
    await eventually('a write failed', () => writeFailures.length > 0);
    batchWriter.abort();
    expect(await completesWithin(30_000, batchWriter.flushed())).toBe(true);
    expect(failures).toEqual([]);
  });

  it('writes a report of the subscription once, and each change of it', async () => {
    const { batchWriter, writer } = await setUp();
    const nextReadAt = MonotonicTime(1);
    for (const more of [[], [], [nextReadAt], [nextReadAt]]) {
      batchWriter.report('connecting', 'r', ...more);
      await batchWriter.flushed();
    }
    expect(writer.batches.map(({ subscription }) => subscription)).toEqual([
      { state: 'connecting', reason: 'r' },
      { state: 'connecting', reason: 'r', nextReadAt },
    ]);
  });

  it('claims that the job set is synced only with the write that makes it so', async () => {
    const { batchWriter, writer } = await setUp();
    const open = gate(writer);
    for (let ms = 1; ms <= 600; ms++) batchWriter.accept(running(ms));
    batchWriter.report('live', '');
    batchWriter.markSynced(MonotonicTime(123));
    open();
    await eventually('all is written', () => writer.cursor === '600:0:0:1');
    const written = writer.batches.map(({ cursor, subscription: { state, syncedAt } }) => [
      cursor,
      state,
      syncedAt,
    ]);
    expect(written.filter(([cursor]) => cursor !== '600:0:0:1').every(([, state]) => state !== 'live')).toBe(
      true,
    );
    expect(written.find(([cursor]) => cursor === '600:0:0:1')).toEqual(['600:0:0:1', 'live', 123]);
  });

  it('is synced by an event of a live watch as of the event’s own time, not as of its arrival', async () => {
    const { batchWriter, writer } = await setUp(redisNow);
    const claims = (): unknown[] => writer.batches.map(({ subscription }) => subscription.syncedAt);
    const syncedAt = performance.now() - 60_000;
    batchWriter.report('live', '');
    batchWriter.markSynced(MonotonicTime(syncedAt));
    await eventually('it is claimed', () => claims().includes(syncedAt));
    const late = Math.floor(redisNow()) - 30_000;
    batchWriter.accept(running(late));
    await eventually('it is written', () => writer.cursor === `${late}:0:0:1`);
    const ago = performance.now() - Number(claims().at(-1));
    expect(ago).toBeGreaterThanOrEqual(30_000);
    expect(ago).toBeLessThan(59_000);
  });

  it('is synced by an event of a live watch only with the write after which none waits', async () => {
    const { batchWriter, writer } = await setUp(redisNow);
    batchWriter.report('live', '');
    batchWriter.markSynced(MonotonicTime(performance.now() - 60_000));
    await eventually('it is claimed', () => writer.batches.length === 1);
    const first = Math.floor(redisNow()) - 600;
    for (let ms = first; ms < first + 501; ms++) batchWriter.accept(running(ms, JobId(`job-${ms}`)));
    await eventually('all is written', () => writer.batches.length === 3);
    const claims = writer.batches.map(({ records, subscription }) => [records.size, subscription.syncedAt]);
    expect(claims.slice(1)).toEqual([
      [500, undefined],
      [1, expect.any(Number)],
    ]);
  });

  it('does not move the time as of which it is synced back by an older event', async () => {
    const { batchWriter, writer } = await setUp(redisNow);
    const syncedAt = performance.now();
    batchWriter.report('live', '');
    batchWriter.markSynced(MonotonicTime(syncedAt));
    await eventually('it is claimed', () => writer.batches.length === 1);
    batchWriter.accept(running(Math.floor(redisNow()) - 30_000));
    await eventually('it is written', () => writer.batches.length === 2);
    expect(writer.batches.map(({ subscription }) => subscription.syncedAt)).toEqual([syncedAt, undefined]);
  });

  it('claims a moment that was marked while it wrote another one', async () => {
    const { batchWriter, writer } = await setUp();
    const open = gate(writer);
    batchWriter.markSynced(MonotonicTime(100));
    await eventually('the write has begun', () => writer.begun > 0);
    batchWriter.markSynced(MonotonicTime(200));
    open();
    await eventually('both are claimed', () => writer.batches.length === 2);
    expect(writer.batches.map(({ subscription }) => subscription.syncedAt)).toEqual([100, 200]);
  });

  it('writes a heartbeat without any message', async () => {
    const { batchWriter, writer } = await setUp();
    batchWriter.heartbeat();
    await eventually('it is written', () => writer.batches.length === 1);
    expect(writer.batches[0]).toMatchObject({ cursor: '', subscription: { state: 'connecting' } });
  });

  it('pauses the streams from the first write that fails until one succeeds', async () => {
    const { batchWriter, writer, pauses, writeFailures } = await setUp();
    let away = true;
    writer.before = () => (away ? Promise.reject(new Error('Connection is closed.')) : Promise.resolve());
    batchWriter.accept(running(1));
    await eventually('it fails', () => writeFailures.length > 0);
    expect(pauses).toEqual([true]);
    away = false;
    await eventually('it is written', () => writer.batches.length > 0);
    await eventually('they go on', () => pauses.length === 2);
    expect(pauses).toEqual([true, false]);
  });

  it('makes progress with each write, and says what fails while it stands still', async () => {
    const { writer, batchWriter, clock, progress } = await setUp();
    progress.moved();
    writer.before = () => Promise.reject(new Error('Connection is closed.'));
    batchWriter.heartbeat();
    await eventually('it has failed', () => writer.begun > 1);
    clock.advance(42_000);
    expect(progress.standstill).toBe('no progress for 42 s: Connection is closed.');
    writer.before = () => Promise.resolve();
    await eventually('it writes', () => progress.standstill === undefined);
  });

  it('writes nothing without the lease', async () => {
    const { batchWriter, writer, pauses, failures, lease } = await setUp();
    lease.held = false;
    batchWriter.accept(running(1));
    await eventually('it fails', () => failures[0] instanceof LeaseLostError);
    // Nor are the streams read meanwhile.
    expect([writer.batches, pauses]).toEqual([[], [true]]);
  });

  it('folds the same batch again over provisional jobs that were added meanwhile', async () => {
    const { store, batchWriter, writer, failures } = await setUp();
    await store.addProvisionalJobs(KEY, [
      { jobId: JobId('a'), state: 'QUEUED', changedAt: ArmadaTime(1), submittedAt: ArmadaTime(7) },
      { jobId: JobId('b'), state: 'FAILED', changedAt: ArmadaTime(1) },
    ]);
    batchWriter.accept(running(1, JobId('a')));
    batchWriter.accept(running(2, JobId('b')));
    await eventually('it is written', () => writer.cursor === '2:0:0:1');
    const { jobs } = await store.readDetails(KEY, [JobId('a'), JobId('b')]);
    expect(jobs.get(JobId('a'))?.record).toMatchObject({ state: 'RUNNING', submittedAt: ArmadaTime(7) });
    expect(jobs.get(JobId('b'))?.record.state).toBe('FAILED');
    expect(failures).toEqual([]);
  });

  it('fails at once, and tries nothing again, with an error that this does not heal', async () => {
    const { batchWriter, writer, failures, writeFailures } = await setUp();
    const defect = new TypeError('undefined is not a function');
    writer.before = () => Promise.reject(defect);
    batchWriter.accept(running(1));
    await eventually('it fails', () => failures.length > 0);
    expect([failures, writer.begun, writeFailures]).toEqual([[defect], 1, []]);
    batchWriter.accept(running(2));
    batchWriter.heartbeat();
    await batchWriter.flushed();
    expect(writer.begun).toBe(1);
  });

  it('tries to reload the job set again while Redis is unavailable', async () => {
    const { store, batchWriter, writer, writeFailures } = await setUp();
    await store.addProvisionalJobs(KEY, [{ jobId: JobId('a'), state: 'QUEUED', changedAt: ArmadaTime(1) }]);
    const reload = writer.reload.bind(writer);
    let left = 2;
    writer.reload = () => (left-- > 0 ? Promise.reject(new Error('Connection is closed.')) : reload());
    batchWriter.accept(running(1, JobId('a')));
    await eventually('it is written', () => writer.cursor === '1:0:0:1');
    expect(writeFailures).toHaveLength(2);
  });

  it('does not reload the job set without the lease', async () => {
    const { store, batchWriter, writer, failures, lease } = await setUp();
    await store.addProvisionalJobs(KEY, [{ jobId: JobId('a'), state: 'QUEUED', changedAt: ArmadaTime(1) }]);
    writer.before = () => {
      lease.held = false;
      return Promise.resolve();
    };
    batchWriter.accept(running(1, JobId('a')));
    await eventually('it fails', () => failures[0] instanceof LeaseLostError);
    expect((await store.read(KEY, [JobId('a')])).jobs.get(JobId('a'))?.state).toBe('QUEUED');
  });

  it('fails when another owner wrote the job set', async () => {
    const { store, batchWriter, failures } = await setUp();
    const other = await store.open(KEY);
    await other.write({
      cursor: Cursor('9:0:0:1'),
      records: new Map(),
      subscription: { state: 'live', reason: '' },
    });
    batchWriter.accept(running(1));
    await eventually('it fails', () => failures.length > 0);
    batchWriter.accept(running(2));
    expect(failures).toEqual([expect.any(StaleWriterError)]);
  });

  it('gives jobs the ends that Armada reported, after what the stream showed, and with its cursor', async () => {
    const { store, batchWriter, writer } = await setUp();
    const open = gate(writer);
    batchWriter.accept(running(1, JobId('a')));
    batchWriter.accept(
      aMessage(2, { kind: 'succeeded', jobId: JobId('b'), at: ArmadaTime(2), placement: {} }),
    );
    const repaired = batchWriter.repair(
      new Map(
        ['a', 'b', 'unknown']
          .map(JobId)
          .map((jobId) => [jobId, { state: 'FAILED', at: ArmadaTime(3) }] as const),
      ),
    );
    open();
    expect(await repaired).toEqual(['a']);
    const { jobs } = await store.read(KEY, [JobId('a'), JobId('b'), JobId('unknown')]);
    expect(Array.from(jobs, ([jobId, { state }]) => [jobId, state])).toEqual([
      ['a', 'FAILED'],
      ['b', 'SUCCEEDED'],
    ]);
    expect(writer.cursor).toBe('2:0:0:1');
  });

  it('gives them again where the write failed, or provisional jobs were added meanwhile', async () => {
    const { store, batchWriter, writer, writeFailures } = await setUp();
    await store.addProvisionalJobs(KEY, [{ jobId: JobId('a'), state: 'QUEUED', changedAt: ArmadaTime(1) }]);
    let left = 1;
    writer.before = () =>
      left-- > 0 ? Promise.reject(new Error('Connection is closed.')) : Promise.resolve();
    expect(await batchWriter.repair(new Map([[JobId('a'), { state: 'FAILED', at: ArmadaTime(3) }]]))).toEqual(
      ['a'],
    );
    expect(writeFailures).toHaveLength(1);
    expect((await store.read(KEY, [JobId('a')])).jobs.get(JobId('a'))?.state).toBe('FAILED');
  });

  it('repairs nothing once it was aborted, not even what it was given before', async () => {
    const { store, batchWriter, writer } = await setUp();
    gate(writer);
    batchWriter.accept(running(1, JobId('a')));
    const repair = () => batchWriter.repair(new Map([[JobId('a'), { state: 'FAILED', at: ArmadaTime(3) }]]));
    const given = repair();
    batchWriter.abort();
    for (const repaired of [given, repair()]) {
      expect(await completesWithin(30_000, repaired)).toBe(true);
      expect(await repaired).toEqual([]);
    }
    expect((await store.read(KEY, [JobId('a')])).jobs.size).toBe(0);
  });

  it('reports once that the job set is reconciled', async () => {
    const { batchWriter, writer } = await setUp();
    batchWriter.markReconciled();
    await eventually('it is written', () => writer.batches.length === 1);
    batchWriter.heartbeat();
    await eventually('a heartbeat too', () => writer.batches.length === 2);
    expect(writer.batches.map(({ reconciled }) => reconciled)).toEqual([true, undefined]);
  });

  it('reports that the job set is reconciled though it was while it wrote', async () => {
    const { batchWriter, writer } = await setUp();
    const open = gate(writer);
    batchWriter.heartbeat();
    await eventually('the write has begun', () => writer.begun > 0);
    batchWriter.markReconciled();
    open();
    await eventually('it is written', () => writer.batches.length === 2);
    expect(writer.batches.map(({ reconciled }) => reconciled)).toEqual([undefined, true]);
  });

  it('has written what it accepted when it is closed, and writes no more', async () => {
    const { batchWriter, writer } = await setUp();
    batchWriter.accept(running(1));
    await batchWriter.close();
    expect(writer.cursor).toBe('1:0:0:1');
    batchWriter.accept(running(2));
    await batchWriter.close();
    expect(writer.cursor).toBe('1:0:0:1');
  });
});
