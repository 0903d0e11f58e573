import { monotonicNow } from '@ajs/platform';
import {
  ArmadaTime,
  formatMessageId,
  isTerminal,
  toMs,
  type JobRecord,
  type JobSetKey,
  type JobState,
} from '@ajs/job-state';
import { describeProvisionalJobs } from './conformance-provisional.js';
import { StaleWriterError } from '../errors.js';
import type {
  Batch,
  JobDetailsLister,
  ProvisionalJobSink,
  JobLister,
  JobSetLife,
  JobSetWriter,
  JobSink,
} from '../ports.js';

export interface StoreUnderTest {
  readonly sink: JobSink;
  readonly lister: JobLister & JobDetailsLister;
  readonly learner: ProvisionalJobSink;
  readonly life: JobSetLife;
  /** How many jobs of a job set are in each state, as the store counts them; states without jobs are left out. */
  readonly counts: (key: JobSetKey) => Promise<Partial<Record<JobState, number>>>;
  /** How many ended jobs would have been replaced so far; left out by a store that does not tell. */
  readonly kept?: () => number;
  /** Lets this much time pass for the store; a store on a real clock waits for it by asking its clock. */
  readonly pass: (ms: number) => Promise<void>;
}

const LIVE = { state: 'live', reason: '' } as const;
let sets = 0;
let ids = 0;

/** A job set that no other test uses, with names that need escaping. */
export const aJobSet = (): JobSetKey => ({ queue: `q/{${++sets}}`, jobSetId: 'set:%7B{a}/b' });
/** A ULID in Armada's form. */
export const aJobId = (): string => `01m85vnck01jqpr3vd${(++ids).toString().padStart(8, '0')}`;

export function aRecord(state: JobState, more: Partial<JobRecord> = {}): JobRecord {
  return { state, runNumber: 1, changedAt: ArmadaTime(1_795_493_217_053), ...more };
}

export function aBatch(cursor: string, records: Record<string, JobRecord>, more: Partial<Batch> = {}): Batch {
  return { cursor, records: new Map(Object.entries(records)), subscription: LIVE, ...more };
}

export const FULL: JobRecord = {
  state: 'PREEMPTED',
  lastEvent: { ms: 1_795_493_217_053, sequence: 3, index: 12, last: true },
  runNumber: 300,
  run: {
    cluster: 'cluster-1',
    pool: 'default',
    node: 'node-7.example.com',
    podName: 'a pod named by hand',
    podNamespace: 'ns',
    leasedAt: ArmadaTime(1_795_493_200_000),
    pendingAt: ArmadaTime(1_795_493_201_000),
    runningAt: ArmadaTime(1_795_493_100_000),
    endedAt: ArmadaTime(1_795_999_217_053),
    outcome: 'expired',
  },
  submittedAt: ArmadaTime(1_795_000_000_000),
  changedAt: ArmadaTime(1_795_999_217_053),
  namespace: 'personal-anonymous',
  failure: { reason: 'preempted by ünïcode', category: 'c', subcategory: 's', exitCodes: { main: 137 } },
  cancellation: { reason: 'no longer wanted', requestor: 'alice' },
};

/** What every store must do, in the same words for all of them. */
export function describeStore(name: string, setUp: () => Promise<StoreUnderTest>): void {
  describe(`a store: ${name}`, () => {
    let store: StoreUnderTest;
    let key: JobSetKey;
    let writer: JobSetWriter;
    beforeAll(async () => {
      store = await setUp();
    }, 30_000);
    beforeEach(async () => {
      key = aJobSet();
      writer = await store.sink.open(key);
    });
    const state = async (jobId: string): Promise<JobState | undefined> =>
      (await store.lister.read(key, [jobId])).jobs.get(jobId)?.state;

    it('knows nothing of a job set that nobody opened', async () => {
      const view = await store.lister.read(aJobSet(), [aJobId()]);
      expect(view.subscription).toBeUndefined();
      expect(view.jobs.size).toBe(0);
    });

    it('begins a job set at the beginning of its stream, and says that it is connecting', async () => {
      expect(writer.cursor).toBe('');
      expect((await store.lister.read(key, [])).subscription).toEqual({ state: 'connecting', reason: '' });
    });

    it('keeps a batch: records, cursor and subscription', async () => {
      const [a, b] = [aJobId(), 'not a ULID: é/{}'];
      await writer.write(aBatch('5:0:0:1', { [a]: aRecord('RUNNING'), [b]: aRecord('SUCCEEDED') }));
      const view = await store.lister.read(key, [a, b, aJobId()]);
      expect(Array.from(view.jobs, ([id, job]) => [id, job.state])).toEqual([
        [a, 'RUNNING'],
        [b, 'SUCCEEDED'],
      ]);
      expect(view.subscription?.state).toBe('live');
      expect(writer.cursor).toBe('5:0:0:1');
      expect((await store.sink.open(key)).cursor).toBe('5:0:0:1');
    });

    it('gives a record back whole, to this writer and to the next', async () => {
      const [full, standardPod, bare] = [aJobId(), aJobId(), aJobId()];
      const records: Record<string, JobRecord> = {
        [full]: FULL,
        [standardPod]: aRecord('RUNNING', {
          run: {
            podName: `armada-${standardPod}-0`,
            preempted: 'by a job of more worth',
            node: 'node-7.example.com',
          },
        }),
        [bare]: aRecord('QUEUED', { runNumber: 0, changedAt: ArmadaTime(0) }),
      };
      await writer.write(aBatch('1:0:0:1', records));
      expect(Object.fromEntries(await writer.load([full, standardPod, bare]))).toEqual(records);
      const next = await store.sink.open(key);
      expect(Object.fromEntries(await next.load([bare, full, standardPod, aJobId()]))).toEqual(records);
    });

    it('tells a reader why a job failed or was cancelled', async () => {
      const [failed, fine] = [aJobId(), aJobId()];
      await writer.write(aBatch('1:0:0:1', { [failed]: FULL, [fine]: aRecord('SUCCEEDED') }));
      const { jobs } = await store.lister.read(key, [failed, fine]);
      expect(jobs.get(failed)).toEqual({
        state: 'PREEMPTED',
        changedAt: FULL.changedAt,
        revision: 2,
        failure: FULL.failure,
        cancellation: FULL.cancellation,
      });
      expect(jobs.get(fine)).toEqual({
        state: 'SUCCEEDED',
        changedAt: 1_795_493_217_053,
        revision: 2,
        provisional: true,
      });
    });

    it('forgets a reason that no longer holds, and keeps one that still does', async () => {
      const jobId = aJobId();
      const failure = { reason: 'exit 7' };
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING', { run: { preempted: 'p' } }) }));
      await writer.write(aBatch('2:0:0:1', { [jobId]: aRecord('QUEUED', { failure, run: {} }) }));
      await writer.write(aBatch('3:0:0:1', { [jobId]: aRecord('RUNNING', { failure, run: {} }) }));
      const next = await store.sink.open(key);
      expect((await next.load([jobId])).get(jobId)).toEqual(aRecord('RUNNING', { failure, run: {} }));
    });

    it('refuses a writer after somebody else wrote, without a trace, and for good', async () => {
      const jobId = aJobId();
      const other = await store.sink.open(key);
      await other.write(aBatch('7:0:0:1', { [jobId]: aRecord('RUNNING') }));
      const stale = aBatch('9:0:0:1', { [jobId]: aRecord('QUEUED'), [aJobId()]: aRecord('QUEUED') });
      await expect(writer.write(stale)).rejects.toThrow(StaleWriterError);
      await expect(writer.write(stale)).rejects.toThrow(StaleWriterError);
      expect(await state(jobId)).toBe('RUNNING');
      await other.write(aBatch('8:0:0:1', { [jobId]: aRecord('SUCCEEDED') }));
      expect(await state(jobId)).toBe('SUCCEEDED');
      expect((await store.sink.open(key)).cursor).toBe('8:0:0:1');
    });

    it('refuses a writer after somebody else wrote only its contact', async () => {
      const other = await store.sink.open(key);
      await other.write(aBatch('', {}));
      await expect(writer.write(aBatch('1:0:0:1', {}))).rejects.toThrow(StaleWriterError);
    });

    it('refuses a writer whose job set was deleted', async () => {
      expect(await store.life.remove(key, 0)).toBe(true);
      await expect(writer.write(aBatch('1:0:0:1', {}))).rejects.toThrow(StaleWriterError);
      expect((await store.lister.read(key, [])).subscription).toBeUndefined();
    });

    it('never replaces a terminal record by another state, though the cursor moves', async () => {
      const jobId = aJobId();
      for (const terminal of [
        'SUCCEEDED',
        'FAILED',
        'CANCELLED',
        'PREEMPTED',
        'REJECTED',
        'DUPLICATE_FOUND',
      ] as const) {
        const ended = `${jobId.slice(0, -2)}${terminal.slice(0, 2).toLowerCase()}`;
        await writer.write(aBatch('1:0:0:1', { [ended]: aRecord(terminal) }));
        const later = terminal === 'FAILED' ? 'SUCCEEDED' : 'FAILED';
        await writer.write(aBatch('2:0:0:1', { [ended]: aRecord('RUNNING') }));
        await writer.write(aBatch('3:0:0:1', { [ended]: aRecord(later) }));
        expect(await state(ended)).toBe(terminal);
      }
      expect(writer.cursor).toBe('3:0:0:1');
      expect(writer.unfinished).toBe(0);
    });

    it('adds to a terminal record what does not change its state', async () => {
      const jobId = aJobId();
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('FAILED') }));
      await writer.write(
        aBatch('1:0:0:1', { [jobId]: aRecord('FAILED', { failure: { reason: 'learned' } }) }),
      );
      expect((await store.lister.read(key, [jobId])).jobs.get(jobId)?.failure).toEqual({ reason: 'learned' });
    });

    it('counts the jobs that have not ended', async () => {
      const [a, b] = [aJobId(), aJobId()];
      expect(await store.life.unfinished(key)).toBeUndefined();
      await writer.write(aBatch('1:0:0:1', {}));
      expect(await store.life.unfinished(key)).toBeUndefined();
      await writer.write(aBatch('1:0:0:1', { [a]: aRecord('QUEUED'), [b]: aRecord('FAILED') }));
      expect(writer.unfinished).toBe(1);
      expect(await store.life.unfinished(key)).toBe(1);
      await writer.write(aBatch('2:0:0:1', { [a]: aRecord('RUNNING') }));
      expect(writer.unfinished).toBe(1);
      await writer.write(aBatch('3:0:0:1', { [a]: aRecord('CANCELLED') }));
      expect(writer.unfinished).toBe(0);
      expect(await store.life.unfinished(key)).toBe(0);
      expect((await store.sink.open(key)).unfinished).toBe(0);
    });

    it('counts the jobs in each state, whatever writes them and however many they are', async () => {
      const jobs = Array.from({ length: 300 }, aJobId);
      const expectTrueCounts = async (): Promise<void> => {
        const { jobs: all } = await store.lister.read(key, jobs);
        const counts: Partial<Record<JobState, number>> = {};
        for (const { state } of all.values()) counts[state] = (counts[state] ?? 0) + 1;
        expect(await store.counts(key)).toEqual(counts);
        const unfinished = Array.from(all.values()).filter(({ state }) => !isTerminal(state)).length;
        expect(await store.life.unfinished(key)).toBe(all.size === 0 ? undefined : unfinished);
      };
      const inState = (from: number, to: number, state: JobState): Record<string, JobRecord> =>
        Object.fromEntries(jobs.slice(from, to).map((jobId) => [jobId, aRecord(state)]));
      await expectTrueCounts();
      await writer.write(aBatch('1:0:0:1', { ...inState(0, 90, 'QUEUED'), ...inState(90, 100, 'FAILED') }));
      await expectTrueCounts();
      // Of those that have ended none goes on.
      await writer.write(
        aBatch('2:0:0:1', { ...inState(0, 50, 'RUNNING'), ...inState(80, 100, 'SUCCEEDED') }),
      );
      await expectTrueCounts();
      expect(await store.counts(key)).toEqual({ QUEUED: 30, RUNNING: 50, SUCCEEDED: 10, FAILED: 10 });
      await store.learner.addProvisionalJobs(
        key,
        jobs.slice(40).map((jobId, i) => ({
          jobId,
          state: i % 2 === 0 ? ('LEASED' as const) : ('CANCELLED' as const),
          changedAt: ArmadaTime(1),
        })),
      );
      await expectTrueCounts();
      await store.learner.addTerminalStates(
        key,
        new Map(jobs.slice(20, 200).map((id) => [id, 'PREEMPTED' as const])),
      );
      await expectTrueCounts();
      expect(await writer.reload()).toBe(true);
      expect(writer.unfinished).toBe(await store.life.unfinished(key));
      await writer.write(aBatch('3:0:0:1', {}));
      await expectTrueCounts();
      expect((await store.sink.open(key)).unfinished).toBe(writer.unfinished);
      await store.life.remove(key, 0);
      await store.sink.open(key);
      expect(await store.counts(key)).toEqual({});
    });

    it('gives each record the revision of the write that changed it last, and of no later one', async () => {
      const [a, b, c, d] = [aJobId(), aJobId(), aJobId(), aJobId()];
      const revisions = async (): Promise<(number | undefined)[]> => {
        const { jobs } = await store.lister.read(key, [a, b, c, d]);
        return [a, b, c, d].map((jobId) => jobs.get(jobId)?.revision);
      };
      await writer.write(aBatch('1:0:0:1', { [a]: aRecord('QUEUED'), [b]: aRecord('QUEUED') }));
      await writer.write(aBatch('1:0:0:1', {}));
      await writer.write(aBatch('2:0:0:1', { [b]: aRecord('RUNNING'), [c]: aRecord('RUNNING') }));
      expect(await revisions()).toEqual([2, 4, 4, undefined]);
      await store.learner.addProvisionalJobs(key, [{ jobId: d, state: 'QUEUED', changedAt: ArmadaTime(1) }]);
      await store.learner.addTerminalStates(key, new Map([[c, 'FAILED']]));
      expect(await revisions()).toEqual([2, 4, 6, 5]);
      expect(await writer.reload()).toBe(true);
      // The record of a job that ended so can be read, and written, as any other.
      expect((await writer.load([c])).get(c)).toEqual({ ...aRecord('RUNNING'), state: 'FAILED' });
      await writer.write(aBatch('3:0:0:1', { [c]: aRecord('FAILED', { failure: { reason: 'exit 7' } }) }));
      expect(await revisions()).toEqual([2, 4, 7, 5]);
      for (let n = 0; n < 150; n++) await writer.write(aBatch('3:0:0:1', {}));
      await writer.write(aBatch('4:0:0:1', { [a]: aRecord('SUCCEEDED') }));
      await store.learner.addTerminalStates(key, new Map([[b, 'FAILED']]));
      expect(await revisions()).toEqual([158, 159, 7, 5]);
    });

    it('says when the job set was synced, never later than it was, and keeps that while nothing newer is known', async () => {
      const before = (await store.lister.read(key, [])).now;
      const syncedAt = monotonicNow();
      const after = (await store.lister.read(key, [])).now;
      const opened = await store.sink.open(key);
      await opened.write(aBatch('', {}, { subscription: { ...LIVE, syncedAt } }));
      const { subscription } = await store.lister.read(key, []);
      expect(subscription?.syncedAt).toBeGreaterThan(toMs(before) - 1000);
      expect(subscription?.syncedAt).toBeLessThanOrEqual(toMs(after));
      await opened.write(aBatch('', {}, { subscription: { state: 'connecting', reason: 'server stops' } }));
      expect((await store.lister.read(key, [])).subscription).toEqual({
        state: 'connecting',
        reason: 'server stops',
        syncedAt: subscription?.syncedAt,
      });
    });

    it('finds every one of many jobs, written in batches of any size', async () => {
      const jobs = Array.from({ length: 3000 }, (_, i) => (i % 10 === 0 ? `odd-${i}` : aJobId()));
      for (let at = 0, size = 1; at < jobs.length; at += size, size = (size * 3) % 701) {
        const batch = jobs
          .slice(at, at + size)
          .map((id, i) => [id, aRecord(i % 2 ? 'RUNNING' : 'SUCCEEDED')] as const);
        await writer.write(
          aBatch(
            formatMessageId({ ms: at + 1, sequence: 0, index: 0, last: true }),
            Object.fromEntries(batch),
          ),
        );
      }
      const { jobs: found } = await store.lister.read(key, jobs);
      expect(found.size).toBe(jobs.length);
      const next = await store.sink.open(key);
      expect((await next.load(jobs)).size).toBe(jobs.length);
    });

    it('locates jobs by their id alone, until the job set is deleted', async () => {
      const [a, b, c, unknown] = [aJobId(), `not a ULID ${aJobId()}`, aJobId(), aJobId()];
      const otherKey = aJobSet();
      const other = await store.sink.open(otherKey);
      await writer.write(aBatch('1:0:0:1', { [a]: aRecord('RUNNING'), [c]: aRecord('RUNNING') }));
      await other.write(aBatch('1:0:0:1', { [b]: aRecord('RUNNING') }));
      expect(Object.fromEntries(await store.lister.locate([a, b, unknown]))).toEqual({
        [a]: key,
        [b]: otherKey,
      });
      await store.life.remove(key, 0);
      expect(Object.fromEntries(await store.lister.locate([b, c]))).toEqual({ [b]: otherKey });
    });

    it('goes through the jobs that have not ended, not all of them at once', async () => {
      const jobs = Array.from({ length: 2_500 }, (_, i) => (i % 10 === 0 ? `odd-${i}` : aJobId()));
      for (let at = 0; at < jobs.length; at += 500) {
        const batch = jobs
          .slice(at, at + 500)
          .map(
            (id, i) => [id, aRecord(i % 2 ? 'RUNNING' : 'FAILED', { changedAt: ArmadaTime(at) })] as const,
          );
        await writer.write(aBatch(`${at + 1}:0:0:1`, Object.fromEntries(batch)));
      }
      const found = new Map<string, ArmadaTime>();
      for await (const some of writer.unfinishedJobs()) {
        expect(some.size).toBeLessThanOrEqual(1_250);
        for (const [jobId, changedAt] of some) found.set(jobId, changedAt);
      }
      const unfinished = jobs.filter((_, i) => i % 2 === 1);
      expect(new Set(found.keys())).toEqual(new Set(unfinished));
      expect(found.get(unfinished.at(-1) ?? '')).toBe(2_000);
    });

    it('goes through no job of a job set that has none, or was deleted', async () => {
      const steps = async (): Promise<number> => {
        let steps = 0;
        for await (const _ of writer.unfinishedJobs()) steps++;
        return steps;
      };
      expect(await steps()).toBe(0);
      await store.life.remove(key, 0);
      expect(await steps()).toBe(0);
    });

    it('remembers how long ago the job set was reconciled', async () => {
      expect(writer.reconciledAgoMs).toBeUndefined();
      await writer.write(aBatch('1:0:0:1', {}, { reconciled: true }));
      await writer.write(aBatch('2:0:0:1', {}));
      await store.pass(30);
      const { reconciledAgoMs } = await store.sink.open(key);
      expect(reconciledAgoMs).toBeGreaterThanOrEqual(30);
      expect(reconciledAgoMs).toBeLessThan(10_000);
    });

    describeProvisionalJobs(() => store);

    it('deletes a job set when nobody has asked about it for long enough, and not before', async () => {
      const jobId = aJobId();
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING') }));
      expect(await store.life.remove(key, 60_000)).toBe(false);
      await store.pass(30);
      expect(await store.life.touch(key)).toBe(true);
      expect(await store.life.remove(key, 25)).toBe(false);
      await store.pass(30);
      expect(await store.life.remove(key, 25)).toBe(true);
      expect(await store.life.remove(key, 0)).toBe(false);
      expect(await store.life.touch(key)).toBe(false);
      const again = await store.sink.open(key);
      expect(again.cursor).toBe('');
      expect(await state(jobId)).toBeUndefined();
    });
  });
}
