import { monotonicNow } from '@ajs/platform';
import { JobId, ArmadaTime, toMs, type JobRecord, type JobSetKey, type JobState } from '@ajs/job-state';
import { StaleWriterError } from '../errors.js';
import type { JobSetWriter } from '../ports.js';
import { describeChanges } from './conformance-changes.js';
import { describeDetails } from './conformance-details.js';
import { describeEventLag } from './conformance-event-lag.js';
import { describeListing } from './conformance-listing.js';
import { describeManyJobs } from './conformance-many-jobs.js';
import { describeProvisionalJobs } from './conformance-provisional.js';
import { describeReports } from './conformance-reports.js';
import { describeStaleOwner } from './conformance-stale-owner.js';
import { A_REVISION, FULL, LIVE, aBatch, aJobId, aJobSet, aRecord, type StoreUnderTest } from './fixtures.js';

/** What every store must do: the same tests for all of them. */
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
    const state = async (jobId: JobId): Promise<JobState | undefined> =>
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
      const [a, b] = [aJobId(), JobId('not a ULID: é/{}')];
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

    it('gives a reader the reason why a job failed or was cancelled', async () => {
      const [failed, fine] = [aJobId(), aJobId()];
      await writer.write(aBatch('1:0:0:1', { [failed]: FULL, [fine]: aRecord('SUCCEEDED') }));
      const { jobs } = await store.lister.read(key, [failed, fine]);
      expect(jobs.get(failed)).toEqual({
        state: 'PREEMPTED',
        changedAt: FULL.changedAt,
        revision: A_REVISION,
        failure: FULL.failure,
        cancellation: FULL.cancellation,
      });
      expect(jobs.get(fine)).toEqual({
        state: 'SUCCEEDED',
        changedAt: 1_795_493_217_053,
        revision: A_REVISION,
        provisional: true,
      });
    });

    it('forgets a failure reason that no longer applies, and keeps one that does', async () => {
      const jobId = aJobId();
      const failure = { reason: 'exit 7' };
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING', { run: { preempted: 'p' } }) }));
      await writer.write(aBatch('2:0:0:1', { [jobId]: aRecord('QUEUED', { failure, run: {} }) }));
      await writer.write(aBatch('3:0:0:1', { [jobId]: aRecord('RUNNING', { failure, run: {} }) }));
      const next = await store.sink.open(key);
      expect((await next.load([jobId])).get(jobId)).toEqual(aRecord('RUNNING', { failure, run: {} }));
    });

    it('refuses a writer after another owner wrote, without a trace, and for good', async () => {
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

    it('refuses a writer after another owner wrote only its heartbeat', async () => {
      const other = await store.sink.open(key);
      await other.write(aBatch('', {}));
      await expect(writer.write(aBatch('1:0:0:1', {}))).rejects.toThrow(StaleWriterError);
    });

    it('refuses a writer whose job set was deleted', async () => {
      expect(await store.life.remove(key, 0)).toBe(true);
      await expect(writer.write(aBatch('1:0:0:1', {}))).rejects.toThrow(StaleWriterError);
      expect((await store.lister.read(key, [])).subscription).toBeUndefined();
    });

    it('refuses a writer whose job set was deleted and begun anew, though it stands where that writer stands', async () => {
      expect(await store.life.remove(key, 0)).toBe(true);
      const anew = await store.sink.open(key);
      const jobId = aJobId();
      await expect(writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING') }))).rejects.toThrow(
        StaleWriterError,
      );
      expect(await writer.reload()).toBe(false);
      expect(await state(jobId)).toBeUndefined();
      await anew.write(aBatch('1:0:0:1', {}));
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
        const ended = JobId(`${jobId.slice(0, -2)}${terminal.slice(0, 2).toLowerCase()}`);
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
        aBatch('1:0:0:1', { [jobId]: aRecord('FAILED', { failure: { reason: 'exit 7' } }) }),
      );
      expect((await store.lister.read(key, [jobId])).jobs.get(jobId)?.failure).toEqual({ reason: 'exit 7' });
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

    it('remembers how long ago the job set was reconciled', async () => {
      expect(writer.reconciledAgoMs).toBeUndefined();
      await writer.write(aBatch('1:0:0:1', {}, { reconciled: true }));
      await writer.write(aBatch('2:0:0:1', {}));
      await store.pass(30);
      const { reconciledAgoMs } = await store.sink.open(key);
      expect(reconciledAgoMs).toBeGreaterThanOrEqual(30);
      expect(reconciledAgoMs).toBeLessThan(10_000);
    });

    it('keeps how often events come, as of the last write', async () => {
      expect(writer.storedRate).toBeUndefined();
      await writer.write(aBatch('1:0:0:1', {}, { eventsPerMinute: 12.5 }));
      await store.pass(30);
      await writer.write(aBatch('2:0:0:1', {}, { eventsPerMinute: 6.25 }));
      await store.pass(30);
      const { storedRate } = await store.sink.open(key);
      expect(storedRate?.eventsPerMinute).toBe(6.25);
      expect(storedRate?.agoMs).toBeGreaterThanOrEqual(30);
      expect(storedRate?.agoMs).toBeLessThan(10_000);
    });

    describeListing(() => store);
    describeManyJobs(() => store);
    describeProvisionalJobs(() => store);
    describeReports(() => store);
    describeStaleOwner(() => store);
    describeEventLag(() => store);
    describeDetails(() => store);
    describeChanges(() => store);

    it('deletes a job set once nobody has asked about it for long enough, and not before', async () => {
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
