import { ArmadaTime, JobId, RedisTime, toMs, type JobSetKey, type JobState } from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import type { JobPage, JobPageRequest } from '../listing-ports.js';
import type { JobSetWriter } from '../ports.js';
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

/** What every store must report of whole job sets: how they stand, and their jobs page by page. */
export function describeListing(under: () => StoreUnderTest): void {
  let store: StoreUnderTest;
  let key: JobSetKey;
  let writer: JobSetWriter;
  let batches: number;
  beforeEach(async () => {
    store = under();
    key = aJobSet();
    writer = await store.sink.open(key);
    batches = 0;
  });

  const jobIds = (count: number): JobId[] => Array.from({ length: count }, aJobId);
  const write = (ids: readonly JobId[], state: JobState = 'RUNNING'): Promise<unknown> => {
    const records = Object.fromEntries(ids.map((jobId) => [jobId, aRecord(state)]));
    return writer.write(aBatch(`${++batches}:0:0:1`, records));
  };

  describe('a job set as a whole', () => {
    it('is not described where nobody has opened it', async () => {
      await write([aJobId()]);
      const [unknown, known] = await store.jobSets.describe([aJobSet(), key]);
      expect(unknown).toBeUndefined();
      expect(known).toMatchObject({ subscription: { state: 'live' }, cursor: '1:0:0:1' });
    });

    it('has its counts by state, its owner, and the times of its begin and of its last change', async () => {
      const [before] = await store.jobSets.describe([key]);
      expect(before).toMatchObject({ isFollowed: true, owner: store.owner });
      expect(toMs(before?.firstSeenAt ?? RedisTime(0))).toBeLessThanOrEqual(
        toMs(before?.now ?? RedisTime(0)),
      );
      expect(before?.counts.size).toBe(0);
      expect(before).not.toHaveProperty('lastChangeAt');

      const ids = jobIds(3);
      const records = Object.fromEntries(ids.map((jobId) => [jobId, aRecord('RUNNING')]));
      await writer.write(aBatch('1:0:0:1', records, { shownUntil: AT }));
      // An event that changes no job.
      await writer.write(aBatch('2:0:0:1', {}, { shownUntil: ArmadaTime(1_795_493_999_000) }));
      await store.pass(2);
      await writer.write(aBatch('3:0:0:1', { [ids[0] ?? '']: aRecord('SUCCEEDED') }));
      const [after] = await store.jobSets.describe([key]);
      expect(after).toMatchObject({ firstSeenAt: before?.firstSeenAt, lastChangeAt: AT });
      expect(Object.fromEntries(after?.counts ?? [])).toEqual({ RUNNING: 2, SUCCEEDED: 1 });
    });
  });

  describe('the list of the jobs of a job set', () => {
    const page = async (request: JobPageRequest): Promise<JobPage> => {
      const listed = await store.jobSets.listJobs(key, request);
      if (listed === undefined || listed === 'other-generation') throw new Error('there is no page');
      return listed;
    };
    const listAll = async (
      request: JobPageRequest,
      betweenPages: () => Promise<unknown> = () => Promise.resolve(),
    ): Promise<JobId[]> => {
      const ids: JobId[] = [];
      let after: JobPageRequest['after'];
      do {
        const { jobs, next } = await page({ ...request, ...(after !== undefined && { after }) });
        expect(jobs.size).toBeLessThanOrEqual(request.limit);
        ids.push(...jobs.keys());
        after = next;
        if (next !== undefined) await betweenPages();
      } while (after !== undefined);
      return ids;
    };

    it.each([1, 7, 40, 1_000])('has each of them once, on pages of %i', async (limit) => {
      const ids = [...jobIds(170), JobId('no ULID'), JobId('another: é/{}')];
      await write(ids);
      expect((await listAll({ limit })).sort()).toEqual([...ids].sort());
    });

    it('has jobs that are there all the time exactly once, and none twice, though many come between its pages', async () => {
      const ids = jobIds(130);
      await write(ids);
      let pages = 0;
      const listed = await listAll({ limit: 9 }, () => {
        pages++;
        return pages < 20 ? write(jobIds(60)) : Promise.resolve();
      });
      const counts = new Map<JobId, number>();
      for (const jobId of listed) counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
      expect(Math.max(...counts.values())).toBe(1);
      expect(ids.filter((jobId) => !counts.has(jobId))).toEqual([]);
    });

    it('has jobs in the states that are wanted alone', async () => {
      const [running, failed] = [jobIds(70), jobIds(30)];
      await write(running);
      await write(failed, 'FAILED');
      const states = new Set<JobState>(['FAILED', 'SUCCEEDED']);
      expect((await listAll({ limit: 11, states })).sort()).toEqual([...failed].sort());
      expect(await listAll({ limit: 11, states: new Set<JobState>(['CANCELLED']) })).toEqual([]);
    });

    it('has all that is known of a job, and how the job set stands', async () => {
      const jobId = aJobId();
      await writer.write(aBatch('1:0:0:1', { [jobId]: FULL }));
      const enrichment = { error: 'as Armada has it' };
      await store.provisional.addEnrichment(key, new Map([[jobId, enrichment]]));
      const { jobs, subscription, cursor, now } = await page({ limit: 10 });
      expect(jobs.get(jobId)).toEqual({ record: FULL, enrichment, revision: A_REVISION });
      expect({ subscription, cursor }).toEqual({ subscription: writtenLive, cursor: '1:0:0:1' });
      const details = await store.lister.readDetails(key, [jobId, aJobId()]);
      expect(details).toMatchObject({
        cursor: '1:0:0:1',
        jobs: new Map([[jobId, { record: FULL, enrichment, revision: A_REVISION }]]),
      });
      expect(details.now >= now).toBe(true);
    });

    it('has jobs that no stream has shown yet', async () => {
      const jobId = aJobId();
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      expect([...(await page({ limit: 10 })).jobs.keys()]).toEqual([jobId]);
    });

    it('ends with the generation that it began in', async () => {
      expect(await store.jobSets.listJobs(aJobSet(), { limit: 10 })).toBeUndefined();
      await write(jobIds(2));
      const { generation, next } = await page({ limit: 1 });
      expect(await store.life.remove(key, 0)).toBe(true);
      const goOn = { limit: 1, generation, ...(next !== undefined && { after: next }) };
      expect(await store.jobSets.listJobs(key, goOn)).toBeUndefined();
      writer = await store.sink.open(key);
      await write(jobIds(2));
      expect(await store.jobSets.listJobs(key, goOn)).toBe('other-generation');
      expect(await store.jobSets.listJobs(key, { limit: 1, generation: Generation('none') })).toBe(
        'other-generation',
      );
    });
  });
}

const writtenLive = { state: 'live', reason: '' };
