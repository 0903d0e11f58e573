import { JobId } from '@ajs/job-state';
import { ArmadaJobsError } from '@ajs/armada-client';
import { JobState } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { testCaller } from '../../testing/test-caller.js';
import { ARMADA_UNAVAILABLE } from '../testing/fake-armada-jobs.js';
import { JobsApiHarness, jobRecord } from '../testing/jobs-api-harness.js';

describe('GetJobStatusUsingExternalJobUri', () => {
  let h: JobsApiHarness;

  beforeEach(() => {
    h = new JobsApiHarness();
  });

  it('answers the jobs that Armada finds, with newer cached states, and those recorded from submits', async () => {
    await h.write({ a: jobRecord('SUCCEEDED'), b: jobRecord('RUNNING', { externalUri: 'u' }) });
    await h.addProvisional({ jobId: JobId('c'), externalUri: 'u' });
    for (const id of ['a', 'x']) {
      h.armada.add(id, { state: JobState.PENDING });
      h.armada.externalUris.set(id, 'u');
    }
    // b has the annotation, but Armada does not find it by it: a URI of its own overrides the annotation.
    expect(await h.byUri('u')).toEqual({ a: JobState.SUCCEEDED, x: JobState.PENDING, c: JobState.QUEUED });
  });

  it('is UNAVAILABLE while Armada is: on an empty map Airflow would submit the job again', async () => {
    await h.write({ b: jobRecord('RUNNING', { externalUri: 'u' }) });
    h.armada.failure = ARMADA_UNAVAILABLE;
    await expect(h.byUri('u')).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it('asks Armada once, however often the call is retried until Redis is back', async () => {
    let pauses = 0;
    h = new JobsApiHarness({
      redisRetryTimeoutMs: 3_600_000,
      pause: () => {
        if (++pauses === 3) h.redisFailure = undefined;
        return nextTurn();
      },
    });
    h.redisFailure = new Error('Connection is closed.');
    h.armada.add('a', { state: JobState.PENDING });
    h.armada.externalUris.set('a', 'u');
    expect(await h.byUri('u')).toEqual({ a: JobState.PENDING });
    expect(h.armada.calls.map(([method]) => method)).toEqual(['byExternalUri', 'details']);
  });

  it('answers from the cache where Armada lacks the method', async () => {
    await h.write({ b: jobRecord('RUNNING', { externalUri: 'u' }) });
    h.armada.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown method');
    expect(await h.byUri('u')).toEqual({ b: JobState.RUNNING });
  });

  it('matches a long URI by the part that Armada keeps of it, also while Redis is unavailable', async () => {
    h.armada.add('a', { state: JobState.PENDING });
    h.armada.externalUris.set('a', 'u'.repeat(1_024));
    expect(await h.byUri('u'.repeat(2_000))).toEqual({ a: JobState.PENDING });
    h.redisFailure = new Error('Connection is closed.');
    expect(await h.byUri('u'.repeat(2_000))).toEqual({ a: JobState.PENDING });
  });

  it('answers a job as Armada lists it where it does not know it by its id yet, and Redis is unavailable', async () => {
    h.armada.add('a', { state: JobState.PENDING });
    h.armada.externalUris.set('a', 'u');
    h.armada.details = () => Promise.resolve(new Map<JobId, never>());
    h.redisFailure = new Error('Connection is closed.');
    expect(await h.byUri('u')).toEqual({ a: JobState.PENDING });
  });

  it('rejects an empty URI, queue or job set', async () => {
    await expect(h.byUri('')).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'external_job_uri is empty',
    });
    const request = { queue: '', jobset: 's', externalJobUri: 'u' };
    await expect(h.api.getJobStatusUsingExternalJobUri(request, testCaller())).rejects.toMatchObject({
      details: 'queue is empty',
    });
    const withoutJobSet = { ...request, queue: 'q', jobset: '' };
    await expect(h.api.getJobStatusUsingExternalJobUri(withoutJobSet, testCaller())).rejects.toMatchObject({
      details: 'jobset is empty',
    });
  });
});
