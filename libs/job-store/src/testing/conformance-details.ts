import { JobId, type JobEnrichment, type JobSetKey } from '@ajs/job-state';
import { FULL, aBatch, aJobId, aJobSet, aRecord, queued, type StoreUnderTest } from './fixtures.js';

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
      const [a, b, c] = [aJobId(), aJobId(), JobId('not a ULID')];
      await store.provisional.addProvisionalJobs(key, [
        queued(a, { externalUri: 'airflow://1' }),
        queued(c, { externalUri: 'airflow://1' }),
      ]);
      await store.provisional.addProvisionalJobs(key, [queued(a, { externalUri: 'airflow://1' })]);
      const writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', { [b]: aRecord('QUEUED', { externalUri: 'airflow://1' }) }));
      expect(await store.lister.readUri(key, 'airflow://1')).toEqual({ submitted: [a, c], annotated: [b] });
      expect(await store.lister.readUri(key, 'airflow://2')).toEqual({ submitted: [], annotated: [] });
      expect(await store.lister.readUri(aJobSet(), 'airflow://1')).toEqual({ submitted: [], annotated: [] });
    });
  });

  describe('details', () => {
    it('are the whole record and its enrichment, as of one moment', async () => {
      const [a, b] = [aJobId(), aJobId()];
      const writer = await store.sink.open(key);
      await writer.write(aBatch('1:0:0:1', { [a]: FULL, [b]: aRecord('RUNNING', { run: { node: 'n' } }) }));
      const enrichment: JobEnrichment = {
        run: { number: 300, id: '9f1c' },
        cancellation: { reason: 'no\nlonger', user: '' },
        error: '',
      };
      await store.provisional.addEnrichment(key, new Map([[a, enrichment]]));
      for (let twice = 0; twice < 2; twice++) {
        const { jobs, subscription } = await store.lister.readDetails(key, [a, aJobId(), b]);
        expect(Object.fromEntries(jobs)).toEqual({
          [a]: { record: FULL, enrichment },
          [b]: { record: aRecord('RUNNING', { run: { node: 'n' } }), enrichment: {} },
        });
        expect(subscription?.state).toBe('live');
      }
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
      await enrich({ run: { number: 1, id: 'first' } });
      await enrich({ cancellation: { reason: '\ud800"\\', user: 'ü\u0000' } });
      await enrich({ run: { number: 2, id: 'second' }, error: 'exit\n1' });
      await enrich({});
      const { jobs } = await store.lister.readDetails(key, [jobId, unknown]);
      expect(jobs.get(jobId)?.enrichment).toEqual({
        run: { number: 2, id: 'second' },
        cancellation: { reason: '\ud800"\\', user: 'ü\u0000' },
        error: 'exit\n1',
      });
      expect(jobs.has(unknown)).toBe(false);
      await store.provisional.addProvisionalJobs(key, [queued(unknown)]);
      expect((await store.lister.readDetails(key, [unknown])).jobs.get(unknown)?.enrichment).toEqual({});
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
