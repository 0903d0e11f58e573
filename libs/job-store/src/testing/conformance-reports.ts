import {
  addMs,
  ArmadaTime,
  foldBatch,
  formatMessageId,
  report,
  type JobId,
  type JobReport,
  type JobSetKey,
} from '@ajs/job-state';
import { StaleWriterError } from '../errors.js';
import type { JobStatus } from '../ports.js';
import {
  A_REVISION,
  AT,
  FULL,
  LAST_EVENT,
  aBatch,
  aJobId,
  aJobSet,
  aRecord,
  queued,
  type StoreUnderTest,
} from './fixtures.js';
import { writeStream } from './write-stream.js';

/** What every store must do with what Armada's `api.Jobs` reports. */
export function describeReports(under: () => StoreUnderTest): void {
  let store: StoreUnderTest;
  let key: JobSetKey;
  beforeEach(() => {
    store = under();
    key = aJobSet();
  });
  const statusOf = async (jobId: JobId) => (await store.lister.read(key, [jobId])).jobs.get(jobId);

  describe('reports of api.Jobs', () => {
    const RUNNING = aRecord('RUNNING', { ...FULL, state: 'RUNNING', lastEvent: LAST_EVENT });
    const reportOf = (jobId: JobId, reported: JobReport): Promise<ReadonlyMap<JobId, JobStatus>> =>
      store.provisional.report(key, new Map([[jobId, reported]]));

    it('begin a job set that is new, without a cursor, and its jobs are found by their id', async () => {
      const jobId = aJobId();
      const held = await reportOf(jobId, { state: 'RUNNING', at: AT, submittedAt: addMs(AT, -5) });
      expect(Object.fromEntries(held)).toEqual({
        [jobId]: { state: 'RUNNING', changedAt: AT, revision: A_REVISION, provisional: true, reported: true },
      });
      expect(await statusOf(jobId)).toEqual(held.get(jobId));
      expect((await store.lister.locate([jobId])).get(jobId)).toEqual(key);
      expect((await store.sink.open(key)).cursor).toBe('');
      expect(await store.life.remove(key, 60_000)).toBe(false);
    });

    it('end jobs, with why, and change nothing else of their records', async () => {
      const [a, b, unknown] = [aJobId(), aJobId(), aJobId()];
      const writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', { [a]: RUNNING, [b]: aRecord('SUCCEEDED') }));
      const end: JobReport = { state: 'FAILED', at: addMs(AT, 9), failure: { reason: 'exit 7' } };
      const reports = new Map([a, b, unknown].map((jobId) => [jobId, end]));
      const held = await store.provisional.report(key, reports);
      const { jobs } = await store.lister.readDetails(key, [a, b, unknown]);
      expect(jobs.get(a)?.record).toEqual(report(RUNNING, end));
      expect(Array.from(held.values(), ({ state }) => state)).toEqual(['FAILED', 'SUCCEEDED', 'FAILED']);
      expect((await store.lister.read(key, [a, b, unknown])).jobs).toEqual(held);
      expect(await store.life.unfinished(key)).toBe(0);
      // The owner is stale by it, once.
      await expect(writer.write(aBatch('2:0:0:1', {}))).rejects.toBeInstanceOf(StaleWriterError);
      expect(await writer.reload()).toBe(true);
      expect((await writer.load([a])).get(a)).toEqual(report(RUNNING, end));
      expect(await store.provisional.report(key, reports)).toEqual(held);
      await writer.write(aBatch('2:0:0:1', {}));
    });

    it('that are not further than the record change nothing, and resolve to the record', async () => {
      const jobId = aJobId();
      const writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', { [jobId]: RUNNING }));
      const held = await reportOf(jobId, { state: 'LEASED', at: AT, leasedAt: addMs(AT, -99_999_999) });
      expect(held).toEqual(new Map([[jobId, await statusOf(jobId)]]));
      expect((await store.lister.readDetails(key, [jobId])).jobs.get(jobId)?.record).toEqual(RUNNING);
      await writer.write(aBatch('2:0:0:1', {}));
    });

    it('that come together leave the furthest, and each gets it or what came before it', async () => {
      const jobId = aJobId();
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      const states = ['LEASED', 'RUNNING', 'PENDING', 'SUCCEEDED', 'LEASED'] as const;
      const held = await Promise.all(states.map((state) => reportOf(jobId, { state, at: AT, leasedAt: AT })));
      expect((await statusOf(jobId))?.state).toBe('SUCCEEDED');
      expect(held[3]?.get(jobId)?.state).toBe('SUCCEEDED');
      expect(['RUNNING', 'SUCCEEDED']).toContain(held[1]?.get(jobId)?.state);
    });

    it('are filled in by the stream', async () => {
      const jobId = aJobId();
      await reportOf(jobId, { state: 'FAILED', at: AT });
      expect(await statusOf(jobId)).not.toHaveProperty('failure');
      const writer = await store.sink.open(key);
      const at = ArmadaTime(10);
      const failure = { reason: 'exit 7', exitCodes: { main: 7 } };
      const placement = { cluster: 'c' };
      const event = {
        kind: 'failed',
        jobId,
        at,
        failure,
        placement,
        retryable: false,
        rejected: false,
      } as const;
      const messages = [{ id: LAST_EVENT, cursor: formatMessageId(LAST_EVENT), event }];
      const records = foldBatch(await writer.load([jobId]), messages);
      await writer.write({ ...aBatch('1:0:0:1', {}), records });
      expect(await statusOf(jobId)).toEqual({
        state: 'FAILED',
        changedAt: at,
        revision: A_REVISION,
        failure,
      });
    });

    it('lose nothing when the stream is written at the same time, and nothing of it', async () => {
      const jobs = Array.from({ length: 30 }, aJobId);
      const writer = await store.sink.open(key);
      const ends = new Map<JobId, string | undefined>();
      const writeReports = async (): Promise<void> => {
        for (const jobId of jobs) {
          const held = await reportOf(jobId, { state: 'CANCELLED', at: AT });
          ends.set(jobId, held.get(jobId)?.state);
        }
      };
      const keptBefore = store.kept?.();
      await Promise.all([writeStream(writer, jobs), writeReports()]);
      const { jobs: read } = await store.lister.readDetails(key, jobs);
      for (const jobId of jobs) {
        const record = read.get(jobId)?.record;
        expect(record?.state).toBe(ends.get(jobId));
        expect(record).toMatchObject({ submittedAt: ArmadaTime(10), run: { cluster: 'c' } });
        expect(record).not.toHaveProperty('reported');
      }
      expect(store.kept?.()).toBe(keptBefore);
    });
  });
}
