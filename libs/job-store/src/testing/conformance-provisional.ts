import { addMs, JobId, type JobSetKey } from '@ajs/job-state';
import {
  A_REVISION,
  AT,
  LAST_EVENT,
  aBatch,
  aJobId,
  aJobSet,
  aRecord,
  queued,
  type StoreUnderTest,
} from './fixtures.js';

/** What every store must do with jobs that are known by their submission. */
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
}
