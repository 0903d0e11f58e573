import { ArmadaTime, type JobId, type JobSetKey } from '@ajs/job-state';
import { StaleWriterError } from '../errors.js';
import type { JobSetWriter } from '../ports.js';
import { AT, LAST_EVENT, aBatch, aJobId, aJobSet, aRecord, queued, type StoreUnderTest } from './fixtures.js';
import { writeStream } from './write-stream.js';

/** What every store must do for an owner that is not the only one who writes. */
export function describeStaleOwner(under: () => StoreUnderTest): void {
  let store: StoreUnderTest;
  let key: JobSetKey;
  beforeEach(() => {
    store = under();
    key = aJobSet();
  });
  const statusOf = async (jobId: JobId) => (await store.lister.read(key, [jobId])).jobs.get(jobId);

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
