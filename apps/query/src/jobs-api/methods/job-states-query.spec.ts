import { JobId } from '@ajs/job-state';
import { ArmadaJobsError } from '@ajs/armada-client';
import { JobState } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { ARMADA_UNAVAILABLE } from '../testing/fake-armada-jobs.js';
import { JobsApiHarness, KEY, jobRecord } from '../testing/jobs-api-harness.js';

describe('GetJobStatus', () => {
  let h: JobsApiHarness;

  beforeEach(() => {
    h = new JobsApiHarness();
  });

  it('answers for every requested job from the cache, in whatever order and however often it is named', async () => {
    await h.write({ a: jobRecord('RUNNING'), b: jobRecord('FAILED'), c: jobRecord('SUBMITTED') });
    expect(await h.states('b', 'a', 'b')).toEqual({ a: JobState.RUNNING, b: JobState.FAILED });
    expect(await h.states('c')).toEqual({ c: JobState.QUEUED });
    expect(h.armada.calls).toEqual([]);
    expect(h.interest).toContainEqual(KEY);
  });

  it('answers an empty map for no jobs, and INVALID_ARGUMENT for too many', async () => {
    expect(await h.states()).toEqual({});
    await expect(h.states('a', 'b', 'c', 'd')).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('answers terminal jobs from memory, and notes the interest in them', async () => {
    await h.write({ a: jobRecord('FAILED') });
    await h.states('a');
    h.redisFailure = new Error('Connection is closed.');
    expect(await h.states('a')).toEqual({ a: JobState.FAILED });
    expect(h.interest).toHaveLength(2);
  });

  it('resolves a job that is not cached, records it, and has its job set followed', async () => {
    h.armada.add('x', { queue: 'other' });
    expect(await h.states('x')).toEqual({ x: JobState.RUNNING });
    expect(h.interest).toEqual([{ queue: 'other', jobSetId: 's' }]);
    expect((await h.store.locate([JobId('x')])).get(JobId('x'))).toEqual({ queue: 'other', jobSetId: 's' });
    expect(await h.states('x')).toEqual({ x: JobState.RUNNING });
    expect(h.armada.calls).toEqual([['details', 'x']]);
    // Its stream has not shown it yet: Armada is asked again, once a second.
    h.now += 1_000;
    h.armada.add('x', { queue: 'other', state: JobState.SUCCEEDED });
    expect(await h.states('x')).toEqual({ x: JobState.SUCCEEDED });
  });

  it('answers UNKNOWN where Armada has just said that there is no such job, and asks it once', async () => {
    expect(await h.states('x', 'y')).toEqual({ x: JobState.UNKNOWN, y: JobState.UNKNOWN });
    expect(await h.states('x')).toEqual({ x: JobState.UNKNOWN });
    expect(h.armada.calls).toEqual([['details', 'x', 'y']]);
  });

  it('is UNAVAILABLE as a whole where one job is neither cached nor resolved, with the cause', async () => {
    await h.write({ a: jobRecord('RUNNING') });
    h.armada.failure = ARMADA_UNAVAILABLE;
    await expect(h.states('a', 'x', 'y')).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details:
        'cannot resolve job "x" and 1 more: not cached, and Armada\'s api.Jobs failed: UNAVAILABLE: connection refused',
    });
    expect(await h.states('a')).toEqual({ a: JobState.RUNNING });
  });

  it('asks Armada for jobs of a job set that cannot be followed', async () => {
    await h.write({ j: jobRecord('RUNNING') }, { state: 'denied', reason: 'no permission' });
    h.armada.add('j', { state: JobState.SUCCEEDED });
    expect(await h.states('j')).toEqual({ j: JobState.SUCCEEDED });
  });

  it.each([
    ['GetJobStatus', async () => (await h.states('j'))['j']],
    ['GetJobDetails', async () => (await h.details('j'))?.state],
    ['GetJobStatusUsingExternalJobUri', async () => (await h.byUri('airflow://j'))['j']],
  ] as const)('stores the terminal state that Armada reports for such a job, by %s', async (_, request) => {
    await h.write({ j: jobRecord('RUNNING') }, { state: 'denied', reason: 'no permission' });
    h.armada.add('j', { state: JobState.CANCELLED });
    h.armada.externalUris.set('j', 'airflow://j');
    expect(await request()).toBe(JobState.CANCELLED);
    // As another replica reads it, while Armada does not answer.
    expect((await h.store.read(KEY, [JobId('j')])).jobs.get(JobId('j'))?.state).toBe('CANCELLED');
  });

  it('answers the last cached state where Armada does not answer, or does not know the job', async () => {
    await h.write({ j: jobRecord('RUNNING') }, { state: 'gone', reason: 'no such queue' });
    expect(await h.states('j')).toEqual({ j: JobState.RUNNING });
    h.armada.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown service');
    expect(await h.states('j')).toEqual({ j: JobState.RUNNING });
  });

  it('answers QUEUED for a provisional job until its stream should have shown it: then Armada decides', async () => {
    await h.write({});
    await h.addProvisional();
    expect(await h.states('j')).toEqual({ j: JobState.QUEUED });
    expect(h.armada.calls).toEqual([]);
    h.now += 30_000;
    await h.write({});
    expect(await h.states('j')).toEqual({ j: JobState.UNKNOWN });
  });
});
