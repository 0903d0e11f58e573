import {
  ArmadaTime,
  JobId,
  type JobEnrichment,
  type JobRecord,
  type JobSetKey,
  type ReportedRuns,
} from '@ajs/job-state';
import type { JobSetDetails, JobVersion } from '../ports.js';
import {
  A_REVISION,
  FULL,
  aBatch,
  aJobId,
  aJobSet,
  aRecord,
  queued,
  shownIn,
  type StoreUnderTest,
} from './fixtures.js';

/** The runs of a job, the latest of which is its `number`th and has this id. */
function runsOf(number: number, id: string): ReportedRuns {
  const earlier = { id: 'e\n"', state: 9, cluster: 'c2', node: '', leasedAt: ArmadaTime(1_795_493_100_000) };
  const latest = {
    id,
    state: 4,
    cluster: 'c',
    node: 'n',
    leasedAt: ArmadaTime(1_795_493_148_001),
    pendingAt: ArmadaTime(1_795_493_148_002),
    runningAt: ArmadaTime(1_795_493_148_003),
    endedAt: ArmadaTime(1_795_493_148_004),
  };
  return { number, latest, earlier: [earlier], isOver: true };
}

/** What every store must do with what is kept beside the states: external URIs, whole records, enrichment. */
export function describeDetails(under: () => StoreUnderTest): void {
  let store: StoreUnderTest;
  let key: JobSetKey;
  beforeEach(() => {
    store = under();
    key = aJobSet();
  });

  describe('external URIs', () => {
    it('are kept apart: those submitted with a job, and those of its annotation', async () => {
      const [a, b, c] = [aJobId(), aJobId(), JobId('no ULID: 50%')];
      await store.provisional.addProvisionalJobs(key, [
        queued(a, { externalUri: 'airflow://1' }),
        queued(c, { externalUri: 'airflow://1' }),
      ]);
      await store.provisional.addProvisionalJobs(key, [queued(c, { externalUri: 'airflow://1' })]);
      const writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', { [b]: aRecord('QUEUED', { externalUri: 'airflow://1' }) }));
      expect(await store.lister.readUri(key, 'airflow://1')).toEqual({ submitted: [a, c], annotated: [b] });
      expect(await store.lister.readUri(key, 'airflow://2')).toEqual({ submitted: [], annotated: [] });
      expect(await store.lister.readUri(aJobSet(), 'airflow://1')).toEqual({ submitted: [], annotated: [] });
    });

    it('of an annotation are kept also of a job that was known before its event came', async () => {
      const jobId = aJobId();
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      const writer = await store.sink.open(key);
      await writer.load([jobId]);
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('QUEUED', { externalUri: 'airflow://1' }) }));
      expect(await store.lister.readUri(key, 'airflow://1')).toEqual({ submitted: [], annotated: [jobId] });
    });

    it('are shown with their job: that of its submission, and else that of its annotation', async () => {
      const [annotated, submitted, both, late, none] = [
        aJobId(),
        JobId('submitted, and no ULID'),
        aJobId(),
        aJobId(),
        aJobId(),
      ];
      const [field, annotation] = ['airflow://"field"\n/é', 'airflow://annotation'];
      await store.provisional.addProvisionalJobs(key, [
        queued(submitted, { externalUri: field }),
        queued(both, { externalUri: field }),
      ]);
      const record = aRecord('RUNNING', { externalUri: annotation });
      const writer = await store.sink.open(key);
      await writer.write(
        aBatch('1:0:0:1', {
          [annotated]: record,
          [both]: record,
          [late]: record,
          [none]: aRecord('RUNNING'),
        }),
      );
      const enrichment: JobEnrichment = { error: 'e', namespace: 'ns' };
      const enriched = new Map([annotated, both].map((jobId) => [jobId, enrichment]));
      await store.provisional.addEnrichment(key, enriched);
      await store.provisional.addProvisionalJobs(key, [queued(late, { externalUri: field })]);
      const jobIds = [annotated, submitted, both, late, none];
      const { jobs } = await store.lister.readDetails(key, jobIds);
      expect(jobIds.map((jobId) => jobs.get(jobId)?.record.externalUri)).toEqual([
        annotation,
        field,
        field,
        field,
        undefined,
      ]);
      expect(jobIds.map((jobId) => jobs.get(jobId)?.enrichment)).toEqual([
        enrichment,
        {},
        enrichment,
        {},
        {},
      ]);
      const listed = await store.jobSets.listJobs(key, { limit: 10 });
      expect(listed).toMatchObject({ jobs: shownIn(jobs) });
    });
  });

  describe('details', () => {
    it('are the whole record and its enrichment, as of one moment', async () => {
      const [a, b] = [aJobId(), aJobId()];
      const writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', { [a]: FULL, [b]: aRecord('RUNNING', { run: { node: 'n' } }) }));
      const enrichment: JobEnrichment = {
        runs: runsOf(300, '9f1c'),
        cancellation: { reason: 'no\nlonger', user: '' },
        error: '',
      };
      await store.provisional.addEnrichment(key, new Map([[a, enrichment]]));
      for (let twice = 0; twice < 2; twice++) {
        const { jobs, subscription } = await store.lister.readDetails(key, [a, aJobId(), b]);
        expect(Object.fromEntries(shownIn(jobs))).toEqual({
          [a]: { record: FULL, enrichment, revision: A_REVISION },
          [b]: { record: aRecord('RUNNING', { run: { node: 'n' } }), enrichment: {}, revision: A_REVISION },
        });
        expect(subscription?.state).toBe('live');
      }
    });

    it('are given of a job that was seen only where something of it has changed', async () => {
      const [job, neighbour] = [aJobId(), aJobId()];
      const jobIds = [job, neighbour];
      let seen: (JobVersion | undefined)[] = [];
      const readAgain = async (): Promise<JobSetDetails> => {
        const read = await store.lister.readDetails(key, jobIds, seen);
        seen = jobIds.map((jobId, i) => read.jobs.get(jobId)?.version ?? seen[i]);
        return read;
      };
      const expectChange = async (change: () => Promise<unknown>): Promise<void> => {
        await change();
        const { jobs, unchanged } = await readAgain();
        const { jobs: whole, unchanged: none } = await store.lister.readDetails(key, jobIds);
        expect([[...jobs.keys()], [...unchanged]]).toEqual([[job], [neighbour]]);
        expect([jobs.get(job), none.size]).toEqual([whole.get(job), 0]);
        expect([...(await readAgain()).unchanged]).toEqual(jobIds);
      };
      await store.provisional.addProvisionalJobs(key, [queued(neighbour), queued(job)]);
      expect([...(await readAgain()).jobs.keys()]).toEqual(jobIds);
      await expectChange(() =>
        store.provisional.addProvisionalJobs(key, [queued(job, { externalUri: 'airflow://1' })]),
      );
      await expectChange(() =>
        store.provisional.addEnrichment(key, new Map([[job, { runs: runsOf(1, 'run') }]])),
      );
      let writer = await store.sink.open(key);
      const write = (cursor: string, record: JobRecord) => async (): Promise<void> => {
        await writer.load([job]);
        await writer.write(aBatch(cursor, { [job]: record }));
      };
      await expectChange(write('1:0:0:1', aRecord('RUNNING')));
      // Nothing of the record but its revision.
      await expectChange(write('1:0:0:2', aRecord('RUNNING')));
      await expectChange(write('1:0:0:3', aRecord('FAILED', { failure: { reason: 'a' } })));
      await expectChange(write('1:0:0:4', aRecord('FAILED', { failure: { reason: 'b' } })));

      await store.life.remove(key, 0);
      writer = await store.sink.open(key);
      expect((await readAgain()).unchanged.size).toBe(0);
      const batch = aBatch('1:0:0:4', { [job]: aRecord('FAILED', { failure: { reason: 'b' } }) });
      await writer.write(batch);
      const { jobs } = await readAgain();
      expect([...jobs.keys()]).toEqual([job]);
    });

    it('are nothing where nobody opened the job set', async () => {
      const { jobs, subscription } = await store.lister.readDetails(aJobSet(), [aJobId()]);
      expect([jobs.size, subscription]).toEqual([0, undefined]);
    });

    it('keep new enrichment beside the old, the newer of one kind, and of no job without a record', async () => {
      const [jobId, unknown] = [aJobId(), aJobId()];
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      const enrich = (enrichment: JobEnrichment): Promise<void> =>
        store.provisional.addEnrichment(key, new Map([jobId, unknown].map((id) => [id, enrichment])));
      await enrich({ runs: runsOf(1, 'first') });
      await enrich({ cancellation: { reason: '\ud800"\\', user: 'ü\u0000' } });
      const runs = {
        number: 2,
        latest: { id: 'second', state: 1, cluster: '', node: '' },
        earlier: [],
        isOver: false,
      };
      await enrich({ runs, error: 'exit\n1' });
      await enrich({});
      const { jobs } = await store.lister.readDetails(key, [jobId, unknown]);
      expect(jobs.get(jobId)?.enrichment).toEqual({
        runs,
        cancellation: { reason: '\ud800"\\', user: 'ü\u0000' },
        error: 'exit\n1',
      });
      expect(jobs.has(unknown)).toBe(false);
      await store.provisional.addProvisionalJobs(key, [queued(unknown)]);
      expect((await store.lister.readDetails(key, [unknown])).jobs.get(unknown)?.enrichment).toEqual({});
    });

    it('keep the enrichment of each of many jobs, and none of a job set that was deleted', async () => {
      const jobIds = Array.from({ length: 250 }, aJobId);
      await store.provisional.addProvisionalJobs(
        key,
        jobIds.map((jobId) => queued(jobId)),
      );
      const enrichment = new Map(jobIds.map((jobId) => [jobId, { error: jobId }]));
      await store.provisional.addEnrichment(key, enrichment);
      const { jobs } = await store.lister.readDetails(key, jobIds);
      expect(new Map(Array.from(jobs, ([jobId, job]) => [jobId, job.enrichment]))).toEqual(enrichment);
      await store.life.remove(key, 0);
      await store.provisional.addEnrichment(key, enrichment);
      expect((await store.lister.readDetails(key, jobIds)).jobs.size).toBe(0);
    });

    it('make no owner stale when enrichment is added', async () => {
      const jobId = aJobId();
      await store.provisional.addProvisionalJobs(key, [queued(jobId)]);
      const writer = await store.sink.open(key);
      await store.provisional.addEnrichment(key, new Map([[jobId, { error: 'e' }]]));
      await writer.write(aBatch('1:0:0:1', { [jobId]: aRecord('FAILED') }));
      const { jobs } = await store.lister.readDetails(key, [jobId]);
      expect(jobs.get(jobId)).toMatchObject({ record: { state: 'FAILED' }, enrichment: { error: 'e' } });
    });
  });
}
