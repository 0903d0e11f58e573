import { JobRunDetails, type JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { JobId, addMs, type JobRecord } from '@ajs/job-state';
import { toTimestamp } from '@ajs/wire-mapping';
import { testCaller } from '../testing/test-caller.js';
import { ARMADA_UNAVAILABLE } from './testing/fake-armada-jobs.js';
import { JobsApiHarness, KEY, START, jobRecord } from './testing/jobs-api-harness.js';

const J = JobId('j');
const CONNECTING = { state: 'connecting', reason: '' } as const;
const OOM = Object.assign(new Error('OOM command not allowed'), { code: 'OOM' });
const RUN = { leasedAt: START, runningAt: addMs(START, 1_000) };

/** The job in a run that was leased then. */
function inRun(state: JobState, leasedAt = START): Partial<JobDetails> {
  const run = {
    ...JobRunDetails.decode(new Uint8Array()),
    jobId: 'j',
    runId: 'r',
    leasedTs: toTimestamp(leasedAt),
  };
  return { state, latestRunId: 'r', jobRuns: [run], lastTransitionTs: toTimestamp(leasedAt) };
}

describe('a state that Armada’s api.Jobs reports', () => {
  let h: JobsApiHarness;

  beforeEach(() => {
    h = new JobsApiHarness();
  });

  /** What every replica and API reads. */
  const stored = async (): Promise<JobRecord | undefined> =>
    (await h.store.readDetails(KEY, [J])).jobs.get(J)?.record;
  const ways = [
    ['GetJobStatus', async () => (await h.states('j'))['j']],
    ['GetJobDetails', async () => (await h.details('j'))?.state],
    ['GetJobStatusUsingExternalJobUri', async () => (await h.byUri('u'))['j']],
  ] as const;

  describe.each(ways)('to %s', (_, ask) => {
    it.each(['live', 'connecting', 'denied'] as const)(
      'is in Redis before it is answered: an end, while the job set is %s',
      async (state) => {
        const shown = jobRecord('RUNNING', { run: RUN, ...(state === 'live' && { reported: {} }) });
        await h.write({ j: shown }, { state, reason: '' });
        h.armada.add('j', { ...inRun(JobState.CANCELLED), cancelReason: 'enough', cancelUser: 'me' });
        h.armada.externalUris.set('j', 'u');
        expect(await ask()).toBe(JobState.CANCELLED);
        expect(await stored()).toMatchObject({
          state: 'CANCELLED',
          run: RUN,
          cancellation: { reason: 'enough', requestor: 'me' },
        });
        h.armada.failure = ARMADA_UNAVAILABLE;
        const { states } = await h.replica().getJobStatus({ jobIds: ['j'] }, testCaller());
        expect(states).toEqual([JobState.CANCELLED]);
      },
    );

    it('is in Redis before it is answered: of a job that was unknown', async () => {
      h.armada.add('j', inRun(JobState.PENDING));
      h.armada.externalUris.set('j', 'u');
      expect(await ask()).toBe(JobState.PENDING);
      expect(await stored()).toMatchObject({ state: 'PENDING', reported: { leasedAt: START } });
    });

    it('is not answered where Redis has the job further: api.Jobs may be behind the stream', async () => {
      await h.write({ j: jobRecord('RUNNING', { run: RUN }) }, CONNECTING);
      h.armada.add('j', inRun(JobState.LEASED));
      h.armada.externalUris.set('j', 'u');
      expect(await ask()).toBe(JobState.RUNNING);
      expect(await stored()).toEqual(jobRecord('RUNNING', { run: RUN }));
    });

    it('is not answered where Redis does not take it, and has the job', async () => {
      await h.write({ j: jobRecord('RUNNING', { run: RUN }) }, CONNECTING);
      h.armada.add('j', inRun(JobState.SUCCEEDED));
      h.armada.externalUris.set('j', 'u');
      h.redisWriteFailure = OOM;
      expect(await ask()).toBe(JobState.RUNNING);
      expect(h.redisFailures).toEqual([OOM]);
    });
  });

  it('is answered where Redis does not take it and has no such job, and written before answers come from Redis again', async () => {
    h.redisWriteFailure = OOM;
    h.armada.add('j', inRun(JobState.SUCCEEDED));
    expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
    h.redisWriteFailure = undefined;
    // The stream comes in between.
    await h.write({ j: jobRecord('LEASED', { run: RUN }) });
    h.armada.failure = ARMADA_UNAVAILABLE;
    expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
    expect((await stored())?.state).toBe('SUCCEEDED');
  });

  it('is written, too, where GetJobDetails answered it and Redis did not take it', async () => {
    h.redisWriteFailure = OOM;
    h.armada.add('j', inRun(JobState.SUCCEEDED));
    expect(await h.details('j')).toMatchObject({ state: JobState.SUCCEEDED });
    h.redisWriteFailure = undefined;
    await h.write({ j: jobRecord('LEASED', { run: RUN }) });
    h.armada.failure = ARMADA_UNAVAILABLE;
    expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
  });

  it('is written before it is found out where the job is, which Redis may not know without it', async () => {
    h.redisWriteFailure = OOM;
    h.armada.add('j', inRun(JobState.SUCCEEDED));
    await h.states('j');
    h.redisWriteFailure = undefined;
    h.armada.failure = ARMADA_UNAVAILABLE;
    h.now += 1_000;
    expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
  });

  it.each(ways)('is written once Redis is back, where %s was answered without it', async (_, ask) => {
    await h.write({ j: jobRecord('LEASED', { run: RUN }) });
    h.armada.add('j', inRun(JobState.SUCCEEDED));
    h.armada.externalUris.set('j', 'u');
    h.redisFailure = new Error('Connection is closed.');
    expect(await ask()).toBe(JobState.SUCCEEDED);
    h.redisFailure = undefined;
    h.armada.failure = ARMADA_UNAVAILABLE;
    expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
    expect((await stored())?.state).toBe('SUCCEEDED');
  });

  it.each(ways.slice(1))('is written before %s is answered from Redis again', async (_, ask) => {
    await h.write({ j: jobRecord('LEASED', { run: RUN, externalUri: 'u' }) });
    h.armada.add('j', inRun(JobState.SUCCEEDED));
    h.armada.externalUris.set('j', 'u');
    h.redisFailure = new Error('Connection is closed.');
    await h.states('j');
    h.redisFailure = undefined;
    // A database of Armada's that is behind.
    h.armada.add('j', inRun(JobState.LEASED));
    expect(await ask()).toBe(JobState.SUCCEEDED);
  });

  it.each(ways.slice(0, 2))(
    'is answered to %s also where another caller was answered without Redis while the job was located',
    async (_, ask) => {
      await h.write({ j: jobRecord('RUNNING', { run: RUN }) });
      h.armada.add('j', inRun(JobState.SUCCEEDED));
      const locate = h.store.locate.bind(h.store);
      h.store.locate = async (jobIds) => {
        h.store.locate = locate;
        h.redisFailure = new Error('Connection is closed.');
        expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
        h.redisFailure = undefined;
        return locate(jobIds);
      };
      expect(await ask()).toBe(JobState.SUCCEEDED);
    },
  );

  it('never hides the state that Redis has while it takes no writes', async () => {
    await h.write({ j: jobRecord('LEASED') });
    h.armada.add('j', inRun(JobState.RUNNING));
    h.redisFailure = new Error('Connection is closed.');
    await h.states('j');
    h.redisFailure = undefined;
    h.redisWriteFailure = OOM;
    h.armada.failure = ARMADA_UNAVAILABLE;
    expect(await h.states('j')).toEqual({ j: JobState.LEASED });
  });

  it('is asked for again until the stream has come as far, once a second for all callers', async () => {
    h.armada.add('j', inRun(JobState.LEASED));
    await h.states('j');
    await h.write({});
    h.armada.add('j', inRun(JobState.RUNNING));
    expect(await h.states('j')).toEqual({ j: JobState.LEASED });
    h.now += 1_000;
    expect(await h.states('j')).toEqual({ j: JobState.RUNNING });
    expect(h.armada.calls).toEqual([
      ['details', 'j'],
      ['details', 'j'],
    ]);
  });

  it('that failed has its reason, which is looked up again where it could not be had', async () => {
    h.armada.add('j', inRun(JobState.FAILED));
    h.armada.errorTexts.set('j', 'exit 7');
    const errors = h.armada.errors.bind(h.armada);
    h.armada.errors = () => Promise.reject(ARMADA_UNAVAILABLE);
    expect(await h.states('j')).toEqual({ j: JobState.FAILED });
    expect(await stored()).not.toHaveProperty('failure');
    h.armada.errors = errors;
    h.now += 1_000;
    expect(await h.states('j')).toEqual({ j: JobState.FAILED });
    expect((await stored())?.failure).toEqual({ reason: 'exit 7' });
  });

  it('is not kept in memory as an end until the stream has shown it', async () => {
    h.armada.add('j', inRun(JobState.FAILED));
    h.armada.errors = () => Promise.reject(ARMADA_UNAVAILABLE);
    await h.states('j');
    const reads = h.redisReads;
    await h.states('j');
    expect(h.redisReads).toBeGreaterThan(reads);
    await h.write({ j: jobRecord('FAILED', { failure: { reason: 'exit 7' } }) });
    expect(await h.errors('j')).toEqual({ j: 'exit 7' });
    h.armada.calls.length = 0;
    h.now += 1_000;
    expect(await h.states('j')).toEqual({ j: JobState.FAILED });
    expect(h.armada.calls).toEqual([]);
  });

  it('is looked up once for GetJobDetails of a job that has ended without any event', async () => {
    h.armada.add('j', { ...inRun(JobState.SUCCEEDED), namespace: 'ns', submittedTs: toTimestamp(START) });
    const first = await h.details('j');
    expect(first).toMatchObject({ state: JobState.SUCCEEDED, namespace: 'ns', latestRunId: 'r' });
    h.armada.failure = ARMADA_UNAVAILABLE;
    for (let i = 0; i < 3; i++) expect(await h.details('j')).toEqual(first);
    expect(h.armada.calls).toHaveLength(1);
  });
});
