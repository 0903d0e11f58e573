import {
  JobId,
  ArmadaTime,
  formatMessageId,
  isTerminal,
  type JobRecord,
  type JobSetKey,
  type JobState,
} from '@ajs/job-state';
import type { JobSetWriter } from '../ports.js';
import { aBatch, aJobId, aJobSet, aRecord, type StoreUnderTest } from './fixtures.js';

/** What every store must do with the jobs of a job set taken together: count them, find them, go through them. */
export function describeManyJobs(under: () => StoreUnderTest): void {
  describe('the jobs of a job set', () => {
    let store: StoreUnderTest;
    let key: JobSetKey;
    let writer: JobSetWriter;
    beforeEach(async () => {
      store = under();
      key = aJobSet();
      writer = await store.sink.open(key);
    });

    it('are counted as unfinished until they end', async () => {
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

    it('are counted by state, whatever writes them and however many they are', async () => {
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
      await store.provisional.addProvisionalJobs(
        key,
        jobs.slice(40).map((jobId, i) => ({
          jobId,
          state: i % 2 === 0 ? ('LEASED' as const) : ('CANCELLED' as const),
          changedAt: ArmadaTime(1),
        })),
      );
      await expectTrueCounts();
      await store.provisional.report(
        key,
        new Map(jobs.slice(20, 200).map((id) => [id, { state: 'PREEMPTED' }])),
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

    it('have each the revision of the write that changed it last, and of no later one', async () => {
      const [a, b, c, d] = [aJobId(), aJobId(), aJobId(), aJobId()];
      /** Jobs that changed at the same revision share a number, in the order of the revisions. */
      const order = async (): Promise<(number | undefined)[]> => {
        const { jobs } = await store.lister.read(key, [a, b, c, d]);
        const revisions = [a, b, c, d].map((jobId) => jobs.get(jobId)?.revision);
        const sorted = Array.from(new Set(revisions)).sort((one, other) => (one ?? 0) - (other ?? 0));
        return revisions.map((revision) => (revision === undefined ? undefined : sorted.indexOf(revision)));
      };
      await writer.write(aBatch('1:0:0:1', { [a]: aRecord('QUEUED'), [b]: aRecord('QUEUED') }));
      await writer.write(aBatch('1:0:0:1', {}));
      await writer.write(aBatch('2:0:0:1', { [b]: aRecord('RUNNING'), [c]: aRecord('RUNNING') }));
      expect(await order()).toEqual([0, 1, 1, undefined]);
      await store.provisional.addProvisionalJobs(key, [
        { jobId: d, state: 'QUEUED', changedAt: ArmadaTime(1) },
      ]);
      await store.provisional.report(key, new Map([[c, { state: 'FAILED' }]]));
      expect(await order()).toEqual([0, 1, 3, 2]);
      expect(await writer.reload()).toBe(true);
      // The record of a job that ended so can be read, and written, as any other.
      expect((await writer.load([c])).get(c)).toEqual({ ...aRecord('FAILED'), reported: {} });
      await writer.write(aBatch('3:0:0:1', { [c]: aRecord('FAILED', { failure: { reason: 'exit 7' } }) }));
      expect(await order()).toEqual([0, 1, 3, 2]);
      for (let n = 0; n < 150; n++) await writer.write(aBatch('3:0:0:1', {}));
      await writer.write(aBatch('4:0:0:1', { [a]: aRecord('SUCCEEDED') }));
      await store.provisional.report(key, new Map([[b, { state: 'FAILED' }]]));
      expect(await order()).toEqual([2, 3, 1, 0]);
    });

    it('are all found, written in batches of any size', async () => {
      const jobs = Array.from({ length: 3000 }, (_, i) => (i % 10 === 0 ? JobId(`odd-${i}`) : aJobId()));
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

    it('are located by their id alone, until the job set is deleted', async () => {
      const [a, b, c, unknown] = [aJobId(), JobId(`not a ULID ${aJobId()}`), aJobId(), aJobId()];
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

    it('that have not ended are listed in parts, never all at once', async () => {
      const jobs = Array.from({ length: 2_500 }, (_, i) => (i % 10 === 0 ? JobId(`odd-${i}`) : aJobId()));
      for (let at = 0; at < jobs.length; at += 500) {
        const batch = jobs
          .slice(at, at + 500)
          .map(
            (id, i) => [id, aRecord(i % 2 ? 'RUNNING' : 'FAILED', { changedAt: ArmadaTime(at) })] as const,
          );
        await writer.write(aBatch(`${at + 1}:0:0:1`, Object.fromEntries(batch)));
      }
      const found = new Map<JobId, ArmadaTime>();
      for await (const some of writer.unfinishedJobs()) {
        expect(some.size).toBeLessThanOrEqual(1_250);
        for (const [jobId, changedAt] of some) found.set(jobId, changedAt);
      }
      const unfinished = jobs.filter((_, i) => i % 2 === 1);
      expect(new Set(found.keys())).toEqual(new Set(unfinished));
      expect(found.get(unfinished.at(-1) ?? JobId(''))).toBe(2_000);
    });

    it('that have not ended are none where the job set has no jobs, or was deleted', async () => {
      const steps = async (): Promise<number> => {
        let steps = 0;
        for await (const _ of writer.unfinishedJobs()) steps++;
        return steps;
      };
      expect(await steps()).toBe(0);
      await store.life.remove(key, 0);
      expect(await steps()).toBe(0);
    });
  });
}
