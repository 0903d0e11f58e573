import {
  formatMessageId,
  addMs,
  ArmadaTime,
  foldBatch,
  report,
  type JobReport,
  type JobSetKey,
  type StreamMessage,
  JobId,
} from '@ajs/job-state';
import {
  A_REVISION,
  AT,
  FULL,
  aBatch,
  aJobId,
  aJobSet,
  aRecord,
  queued,
  type StoreUnderTest,
} from './fixtures.js';
import { StaleWriterError } from '../errors.js';
import type { JobSetWriter, JobStatus } from '../ports.js';

const LAST_EVENT = { ms: 1_795_493_217_053, sequence: 0, index: 0, last: true };

/** What every store must do with what is known by another way than the stream. */
export function describeProvisionalJobs(under: () => StoreUnderTest): void {
  let store: StoreUnderTest;
  let key: JobSetKey;
  beforeEach(() => {
    store = under();
    key = aJobSet();
  });
  const statusOf = async (jobId: JobId) => (await store.lister.read(key, [jobId])).jobs.get(jobId);

  describe('provisional jobs', () => {
    it('begin a job set that is new, without a cursor, and are found by their id', async () => {
      const [a, b] = [aJobId(), JobId(`not a ULID ${aJobId()}`)];
      await store.provisional.addProvisionalJobs(key, [queued(a, { submittedAt: addMs(AT, -5) }), queued(b)]);
      const { jobs, subscription } = await store.lister.read(key, [a, b]);
      expect(jobs.get(a)).toEqual({
        state: 'QUEUED',
        changedAt: AT,
        revision: A_REVISION,
        provisional: true,
      });
      expect(jobs.get(b)).toEqual({
        state: 'QUEUED',
        changedAt: AT,
        revision: A_REVISION,
        provisional: true,
      });
      expect(subscription).toEqual({ state: 'connecting', reason: '' });
      expect(Object.fromEntries(await store.lister.locate([a, b]))).toEqual({ [a]: key, [b]: key });
      const writer = await store.sink.open(key);
      expect([writer.cursor, writer.unfinished]).toEqual(['', 2]);
      expect((await writer.load([a])).get(a)).toEqual({
        state: 'QUEUED',
        runNumber: 0,
        changedAt: AT,
        submittedAt: addMs(AT, -5),
      });
    });

    it('count as polled from then on: nobody deletes them at once', async () => {
      await store.provisional.addProvisionalJobs(key, [queued(aJobId())]);
      expect(await store.life.remove(key, 60_000)).toBe(false);
      expect(await store.life.touch(key)).toBe(true);
      expect(await store.life.unfinished(key)).toBe(1);
    });

    it('that have ended count as ended, with why', async () => {
      const jobId = aJobId();
      const failure = { reason: 'exit 7' };
      await store.provisional.addProvisionalJobs(key, [{ jobId, state: 'FAILED', changedAt: AT, failure }]);
      expect(await statusOf(jobId)).toEqual({
        state: 'FAILED',
        changedAt: AT,
        revision: A_REVISION,
        failure,
        provisional: true,
      });
      expect(await store.life.unfinished(key)).toBe(0);
    });

    it('never replace a record: the stream was faster', async () => {
      const jobId = aJobId();
      const writer = await store.sink.open(key);
      const shown = aRecord('RUNNING', { lastEvent: LAST_EVENT });
      await writer.write(aBatch('1:0:0:1', { [jobId]: shown }));
      await store.provisional.addProvisionalJobs(key, [
        queued(jobId, { state: 'FAILED', externalUri: 'airflow://x' }),
      ]);
      expect(await statusOf(jobId)).toEqual({ state: 'RUNNING', changedAt: AT, revision: A_REVISION });
      // The owner is not disturbed, and the URI, which only the submission carries, is kept.
      await writer.write(aBatch('2:0:0:1', {}));
      expect((await store.lister.readUri(key, 'airflow://x')).submitted).toEqual([jobId]);
    });

    it('are left out, with their URIs, where another job set has them', async () => {
      const [streamed, reported, added, free] = [aJobId(), aJobId(), aJobId(), aJobId()];
      const other = aJobSet();
      const writer = await store.sink.open(other);
      await writer.write(aBatch('1:0:0:1', { [streamed]: aRecord('RUNNING') }));
      await store.provisional.report(other, new Map([[reported, { state: 'RUNNING', at: AT }]]));
      await store.provisional.addProvisionalJobs(other, [queued(added)]);
      const taken = [streamed, reported, added];
      const claimed = (jobIds: readonly JobId[]) =>
        store.provisional.addProvisionalJobs(
          key,
          jobIds.map((jobId) => queued(jobId, { externalUri: 'u' })),
        );
      await claimed(taken);
      expect((await store.lister.read(key, taken)).subscription).toBeUndefined();
      await claimed([...taken, free]);
      expect([...(await store.lister.read(key, [...taken, free])).jobs.keys()]).toEqual([free]);
      expect((await store.lister.readUri(key, 'u')).submitted).toEqual([free]);
      expect((await store.lister.read(other, taken)).jobs.size).toBe(3);
      const located = await store.lister.locate([...taken, free]);
      expect([...taken, free].map((jobId) => located.get(jobId))).toEqual([other, other, other, key]);
    });

    it.each<[string, (to: JobSetKey, jobId: JobId) => Promise<unknown>]>([
      [
        'its stream',
        async (to, jobId) =>
          (await store.sink.open(to)).write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING') })),
      ],
      [
        'api.Jobs',
        (to, jobId) => store.provisional.report(to, new Map([[jobId, { state: 'RUNNING', at: AT }]])),
      ],
    ])('are found where %s shows them, whatever was added before', async (_, show) => {
      const [jobId, other] = [aJobId(), aJobSet()];
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      await show(other, jobId);
      expect((await store.lister.locate([jobId])).get(jobId)).toEqual(other);
    });

    it('are all kept when hundreds are added at once, beside those of the stream', async () => {
      const streamed = Array.from({ length: 300 }, aJobId);
      const added = Array.from({ length: 700 }, aJobId);
      const writer = await store.sink.open(key);
      await writer.write(
        aBatch('1:0:0:1', Object.fromEntries(streamed.map((id) => [id, aRecord('RUNNING')]))),
      );
      await store.provisional.addProvisionalJobs(
        key,
        [...added, ...streamed].map((id) => queued(id)),
      );
      const { jobs } = await store.lister.read(key, [...added, ...streamed]);
      expect(jobs.size).toBe(1_000);
      expect(await store.life.unfinished(key)).toBe(1_000);
      expect(streamed.every((id) => jobs.get(id)?.state === 'RUNNING')).toBe(true);
    });

    it('are no longer provisional once the stream shows them', async () => {
      const jobId = aJobId();
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      const writer = await store.sink.open(key);
      const shown = aRecord('QUEUED', { lastEvent: LAST_EVENT });
      await writer.write(aBatch('1:0:0:1', { [jobId]: shown }));
      expect(await statusOf(jobId)).toEqual({ state: 'QUEUED', changedAt: AT, revision: A_REVISION });
    });

    it('are kept with any text as id, reason or URI', async () => {
      const odd = ['\ud800', '\u0000\n', 'ü'.repeat(500), '{}', '0'.repeat(26), 'z'.repeat(26)].map(JobId);
      const failure = { reason: '\ud800\n\u0000', exitCodes: { '': -1 } };
      const externalUri = '\u0000\n{';
      await store.provisional.addProvisionalJobs(
        key,
        odd.map((jobId) => queued(jobId, { failure, externalUri })),
      );
      expect((await store.lister.read(key, odd)).jobs.size).toBe(odd.length);
      expect((await store.lister.readUri(key, externalUri)).submitted).toHaveLength(odd.length);
    });
  });

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

  describe('an owner whose job set is written by others', () => {
    let writer: JobSetWriter;
    beforeEach(async () => {
      writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', {}));
    });

    it('is stale after provisional jobs were added, and goes on where it stands with their records', async () => {
      const jobId = aJobId();
      expect((await writer.load([jobId])).size).toBe(0);
      await store.provisional.addProvisionalJobs(key, [queued(jobId, { submittedAt: AT })]);
      await expect(writer.write(aBatch('2:0:0:1', {}))).rejects.toThrow(StaleWriterError);
      expect(await writer.reload()).toBe(true);
      expect([writer.cursor, writer.unfinished]).toEqual(['1:0:0:1', 1]);
      expect((await writer.load([jobId])).get(jobId)).toMatchObject({ state: 'QUEUED', submittedAt: AT });
      await writer.write(aBatch('2:0:0:1', { [jobId]: aRecord('SUCCEEDED', { lastEvent: LAST_EVENT }) }));
      expect((await statusOf(jobId))?.state).toBe('SUCCEEDED');
    });

    it('uses no record that it read before it reloaded', async () => {
      const jobId = aJobId();
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('RUNNING') }));
      const other = await store.sink.open(key);
      await other.write(
        aBatch('1:0:0:1', { [jobId]: aRecord('SUCCEEDED', { run: { node: 'a new string' } }) }),
      );
      expect(await writer.reload()).toBe(true);
      expect((await writer.load([jobId])).get(jobId)).toMatchObject({
        state: 'SUCCEEDED',
        run: { node: 'a new string' },
      });
    });

    it('opens the job set anew where another owner moved the cursor', async () => {
      const other = await store.sink.open(key);
      await other.write(aBatch('2:0:0:1', {}));
      expect(await writer.reload()).toBe(false);
      await expect(writer.write(aBatch('3:0:0:1', {}))).rejects.toThrow(StaleWriterError);
    });

    it('opens the job set anew where it was deleted, or begun again', async () => {
      await store.life.remove(key, 0);
      expect(await writer.reload()).toBe(false);
      await store.provisional.addProvisionalJobs(key, [queued(aJobId())]);
      expect(await writer.reload()).toBe(false);
    });

    it('loses nothing when provisional jobs are added while it writes, and neither do these', async () => {
      const jobs = Array.from({ length: 60 }, aJobId);
      const addProvisional = async (): Promise<void> => {
        for (const [n, jobId] of jobs.entries()) {
          // Every third has ended: then it stays so, unless the stream was faster.
          await store.provisional.addProvisionalJobs(key, [
            queued(jobId, { submittedAt: ArmadaTime(1), state: n % 3 === 0 ? 'FAILED' : 'QUEUED' }),
          ]);
        }
      };
      const keptBefore = store.kept?.();
      await Promise.all([writeStream(writer, jobs), addProvisional()]);
      const { jobs: read } = await store.lister.read(key, jobs);
      expect(read.size).toBe(jobs.length);
      jobs.forEach((jobId, n) => {
        expect(n % 3 === 0 ? ['FAILED', 'SUCCEEDED'] : ['SUCCEEDED']).toContain(read.get(jobId)?.state);
      });
      expect(await store.life.unfinished(key)).toBe(0);
      expect(store.kept?.()).toBe(keptBefore);
    });
  });
}

/** Writes messages of these jobs as their owner does: folds them again over what others have written. */
async function writeStream(writer: JobSetWriter, jobs: readonly JobId[]): Promise<void> {
  for (let n = 0; n < jobs.length; n += 4) {
    const messages = messagesOf(jobs.slice(n, n + 4), n);
    for (;;) {
      try {
        const known = await writer.load(jobs);
        const cursor = messages.at(-1)?.cursor ?? '';
        await writer.write({ ...aBatch(cursor, {}), records: foldBatch(known, messages) });
        break;
      } catch (error) {
        if (!(error instanceof StaleWriterError)) throw error;
        expect(await writer.reload()).toBe(true);
      }
    }
  }
}

/** Each of these jobs is submitted and succeeds, in messages that stand at `n`. */
function messagesOf(jobIds: readonly JobId[], n: number): StreamMessage[] {
  const at = ArmadaTime(10);
  return jobIds.flatMap((jobId, i) =>
    (['submitted', 'succeeded'] as const).map((kind, j) => {
      const id = { ms: 10 + n, sequence: 0, index: i * 2 + j, last: true };
      const cursor = formatMessageId(id);
      const event =
        kind === 'submitted' ? { kind, jobId, at } : { kind, jobId, at, placement: { cluster: 'c' } };
      return { id, cursor, event };
    }),
  );
}
