import { ArmadaTime, JobId, type JobSetKey } from '@ajs/job-state';
import { eventually } from '@ajs/testing';
import type { ChangeNotice, ChangedJob, JobSetPosition } from '../change-ports.js';
import type { JobPosition } from '../listing-ports.js';
import type { JobSetWriter } from '../ports.js';
import { FULL, aBatch, aJobId, aJobSet, aRecord, queued, shownIn, type StoreUnderTest } from './fixtures.js';

/** What every store must publish of the changes of a job set. */
export function describeChanges(under: () => StoreUnderTest): void {
  let store: StoreUnderTest;
  let key: JobSetKey;
  let writer: JobSetWriter;
  let cursor = 0;
  let notices: ChangeNotice[];
  const closes: (() => void)[] = [];
  beforeEach(async () => {
    store = under();
    key = aJobSet();
    writer = await store.sink.open(key);
    notices = [];
  });
  afterEach(() => {
    for (const close of closes.splice(0)) close();
  });
  const write = (records: Parameters<typeof aBatch>[1]) => writer.write(aBatch(`${++cursor}:0:0:1`, records));
  const subscribe = async (of = key): Promise<void> => {
    const listener = { notice: (notice: ChangeNotice) => notices.push(notice), interrupted: () => {} };
    const subscription = await store.changes.subscribe(of, listener);
    closes.push(() => subscription.close());
  };
  const positionOf = async (of = key): Promise<JobSetPosition> => {
    const { position } = await store.changes.watch(of);
    if (position === undefined) throw new Error('the job set has no keys');
    return position;
  };
  const readAll = async (
    { generation }: JobSetPosition,
    after: number,
    betweenPages: (page: number) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<{ readonly reached: number; readonly jobs: ChangedJob[]; readonly pages: number }> => {
    const jobs: ChangedJob[] = [];
    let reached = -1;
    let pages = 0;
    let from: JobPosition | undefined;
    for (let isLast = false; !isLast; pages++) {
      if (pages > 0) await betweenPages(pages);
      const page = await store.changes.readChanges(key, generation, after, from);
      if (page === undefined) throw new Error('another generation');
      if (pages === 0) reached = page.revision;
      jobs.push(...page.jobs);
      from = page.next;
      isLast = from === undefined;
    }
    return { reached, jobs, pages };
  };
  const idsOf = (jobs: readonly ChangedJob[] = []): JobId[] => jobs.map(({ jobId }) => jobId);

  describe('changes', () => {
    it('are published write by write, each with the revision of the one before, and as a read shows the jobs', async () => {
      const [a, b] = [aJobId(), JobId('no ULID: 50%')];
      await write({ [a]: aRecord('RUNNING') });
      await store.provisional.addEnrichment(key, new Map([[a, { namespace: 'ns' }]]));
      await subscribe();
      const position = await positionOf();
      await write({
        [a]: FULL,
        [b]: aRecord('FAILED', { failure: { reason: 'OOM' }, externalUri: 'airflow://b' }),
      });
      await write({});
      await store.provisional.addProvisionalJobs(key, [queued(aJobId())]);
      await eventually('three notices', () => notices.length === 3);
      expect(notices.map(({ generation }) => generation)).toEqual(Array(3).fill(position.generation));
      const revisions = [position.revision, ...notices.map(({ revision }) => revision)];
      expect(notices.map(({ previous }) => previous)).toEqual(revisions.slice(0, -1));
      for (const { previous, revision } of notices) expect(revision).toBeGreaterThan(previous);
      expect(notices.map(({ jobs }) => jobs?.length)).toEqual([2, 0, 1]);
      const [told] = notices;
      const read = await store.lister.readDetails(key, [a, b]);
      expect(new Map(told?.jobs?.map(({ jobId, job }) => [jobId, job]))).toEqual(shownIn(read.jobs));
      for (const { revision } of told?.jobs ?? []) expect(revision).toBe(told?.revision);
      const generations = [...(told?.jobs ?? []), read].map(({ generation }) => generation);
      expect(new Set(generations)).toEqual(new Set([position.generation]));
      expect(read.jobs.get(a)?.enrichment).toEqual({ namespace: 'ns' });
      expect(read.jobs.get(b)?.record.externalUri).toBe('airflow://b');
    });

    it('are published of a job set that begins after it is watched', async () => {
      const later = aJobSet();
      await subscribe(later);
      expect((await store.changes.watch(later)).position).toBeUndefined();
      await (await store.sink.open(later)).write(aBatch('1:0:0:1', { [aJobId()]: aRecord('RUNNING') }));
      await eventually('its first write is published', () => notices.length === 1);
      expect(notices[0]).toMatchObject({ generation: (await positionOf(later)).generation });
    });

    it('that are newer than a revision are read, and no others', async () => {
      const [a, b, c] = [aJobId(), aJobId(), aJobId()];
      await write({ [a]: aRecord('RUNNING'), [b]: aRecord('RUNNING') });
      const { revision: after } = await positionOf();
      await write({ [b]: aRecord('SUCCEEDED'), [c]: aRecord('QUEUED') });
      const position = await positionOf();
      const { reached, jobs } = await readAll(position, after);
      expect(reached).toBe(position.revision);
      expect(new Set(idsOf(jobs))).toEqual(new Set([b, c]));
      expect(new Set(jobs.map(({ revision }) => revision))).toEqual(new Set([reached]));
      expect(new Set(idsOf((await readAll(position, -1)).jobs))).toEqual(new Set([a, b, c]));
      expect((await readAll(position, reached)).jobs).toEqual([]);
    });

    it('are read in pages, between which the job set grows, without missing any', async () => {
      const first = Array.from({ length: 2_100 }, aJobId);
      const put = (jobs: readonly JobId[], state: 'RUNNING' | 'SUCCEEDED') =>
        write(Object.fromEntries(jobs.map((jobId) => [jobId, aRecord(state)])));
      for (let at = 0; at < first.length; at += 500) await put(first.slice(at, at + 500), 'RUNNING');
      await subscribe();
      const position = await positionOf();
      const added: JobId[] = [];
      const { reached, jobs } = await readAll(position, -1, async (page) => {
        // Buckets that were read and such that were not are split, and jobs that were read change.
        const more = Array.from({ length: 250 }, aJobId);
        added.push(...more);
        await put(more, 'RUNNING');
        await put(first.slice(page * 10, page * 10 + 10), 'SUCCEEDED');
      });
      expect(reached).toBe(position.revision);
      const read = new Map(jobs.map((job) => [job.jobId, job]));
      expect(first.filter((jobId) => !read.has(jobId))).toEqual([]);
      // What has changed since is published: with the notices the state of each job is the last one.
      const last = await positionOf();
      await eventually('all notices', () => (notices.at(-1)?.revision ?? reached) === last.revision);
      for (const { jobs: told = [] } of notices) {
        for (const job of told) {
          if (job.revision > (read.get(job.jobId)?.revision ?? -1)) read.set(job.jobId, job);
        }
      }
      const all = [...first, ...added];
      for (let at = 0; at < all.length; at += 500) {
        const { jobs: stored } = await store.lister.readDetails(key, all.slice(at, at + 500));
        for (const [jobId, job] of shownIn(stored)) expect(read.get(jobId)?.job).toEqual(job);
      }
    });

    it('of another generation cannot be read', async () => {
      await write({ [aJobId()]: aRecord('RUNNING') });
      const { generation } = await positionOf();
      await store.pass(1);
      expect(await store.life.remove(key, 0)).toBe(true);
      expect(await store.changes.readChanges(key, generation, -1)).toBeUndefined();
      expect(await store.lister.readDetails(key, [])).not.toHaveProperty('generation');
      await (await store.sink.open(key)).write(aBatch('1:0:0:1', {}));
      expect(await store.changes.readChanges(key, generation, -1)).toBeUndefined();
      expect((await positionOf()).generation).not.toBe(generation);
    });

    it('are published of what the stream adds to an end that was reported, and not of enrichment alone', async () => {
      const jobId = aJobId();
      await store.provisional.report(key, new Map([[jobId, { state: 'FAILED', at: ArmadaTime(1) }]]));
      await writer.reload();
      await subscribe();
      const { revision } = await positionOf();
      await store.provisional.addEnrichment(key, new Map([[jobId, { namespace: 'ns' }]]));
      expect((await positionOf()).revision).toBe(revision);
      const failure = { reason: 'exit 7' };
      await write({ [jobId]: aRecord('FAILED', { failure }) });
      await eventually('it is published', () => notices.length === 1);
      const [told] = notices[0]?.jobs ?? [];
      expect(told?.job).toMatchObject({
        record: { state: 'FAILED', failure },
        enrichment: { namespace: 'ns' },
      });
      expect(notices[0]?.previous).toBe(revision);
    });

    it('come with the state of the subscription', async () => {
      await write({});
      const { now, subscription } = await store.changes.watch(key);
      expect(subscription).toEqual((await store.lister.read(key, [])).subscription);
      expect(now).toBeGreaterThan(0);
    });
  });
}
