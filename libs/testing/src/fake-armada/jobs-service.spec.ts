import { JobRunState, JobsService, type JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { allRecordings, eventually, runIdOf, submitItem } from '../index.js';
import { URI_ANNOTATION } from './armada-job.js';
import { SpecServer } from './spec-server.js';

let server: SpecServer;
beforeEach(async () => (server = await SpecServer.start()));
afterEach(() => server.stop());

const stateOf = async (jobId: string): Promise<JobState | undefined> =>
  (await server.call(JobsService.getJobStatus, { jobIds: [jobId] })).jobStates[jobId];

const inState = (jobId: string, state: JobState): Promise<boolean> =>
  eventually(`${jobId} is ${state}`, async () => (await stateOf(jobId)) === state);

async function detailsOf(jobId: string, expandJobSpec = true, expandJobRun = true): Promise<JobDetails> {
  const request = { jobIds: [jobId], expandJobSpec, expandJobRun };
  const details = (await server.call(JobsService.getJobDetails, request)).jobDetails[jobId];
  if (details === undefined) throw new Error(`no details of ${jobId}`);
  return details;
}

describe('api.Jobs of recordings', () => {
  it.each(allRecordings())('returns the recorded states and errors of $name', async (recording) => {
    server.armada.replay(recording);
    const jobIds = [...Object.keys(recording.states), 'unknown-id'];
    const { jobStates } = await server.call(JobsService.getJobStatus, { jobIds });
    const { jobErrors } = await server.call(JobsService.getJobErrors, { jobIds });
    for (const [jobId, name] of Object.entries(recording.states)) {
      expect(jobStates[jobId]).toBe(JobState[name as keyof typeof JobState]);
    }
    expect(jobStates['unknown-id']).toBe(JobState.UNKNOWN);
    expect(jobErrors).toEqual(recording.errors);
  });

  it('has a run for each attempt of a retried job, the newest first', async () => {
    const retry = allRecordings().find(({ name }) => name === 'retry');
    if (retry === undefined) throw new Error('no such recording');
    server.armada.replay(retry);
    const { jobRuns, latestRunId } = await detailsOf('01m85we6t31szv15mexkf3d6c7');
    expect(jobRuns.map(({ state }) => state)).toEqual(Array(3).fill(JobRunState.RUN_STATE_FAILED));
    expect(latestRunId).toBe(jobRuns[0]?.runId);
    const leased = jobRuns.map(({ leasedTs }) => Number(leasedTs?.seconds));
    expect(leased).toEqual([...leased].sort((a, b) => b - a));
  });

  it('gives a preempted run the id in its event', async () => {
    const preempted = allRecordings().find(({ name }) => name === 'preempt_api');
    if (preempted === undefined) throw new Error('no such recording');
    server.armada.replay(preempted);
    const { latestRunId, jobRuns } = await detailsOf('01m85vrgp7whz55kx8f03d6510');
    expect(latestRunId).toBe('b2a09f65-85e1-44ae-9f55-bbc3e08ae1b3');
    expect(jobRuns[0]?.state).toBe(JobRunState.RUN_STATE_PREEMPTED);
  });
});

describe('GetJobDetails', () => {
  it('returns all fields of a job that ended', async () => {
    const labels = { team: 'a' };
    const jobId = await server.submit('echo hi', { namespace: 'ns', labels, priority: 7 });
    await inState(jobId, JobState.SUCCEEDED);
    const runId = runIdOf({ jobId }, 1);
    const { jobSpec, jobRuns, ...details } = await detailsOf(jobId);
    expect(details).toMatchObject({
      jobId,
      queue: 'q',
      jobset: 's',
      namespace: 'ns',
      state: JobState.SUCCEEDED,
      cancelTs: undefined,
      cancelReason: '',
      latestRunId: runId,
    });
    expect(jobSpec).toMatchObject({
      id: jobId,
      labels,
      priority: 7,
      podSpecs: submitItem('echo hi').podSpecs,
    });
    expect(jobRuns).toMatchObject([
      {
        runId,
        jobId,
        state: JobRunState.RUN_STATE_SUCCEEDED,
        cluster: 'fake-cluster',
        node: 'fake-cluster-fake-node-0',
      },
    ]);
    const [run] = jobRuns;
    // The run has ended before the scheduler says that the job has.
    const times = [
      details.submittedTs,
      run?.leasedTs,
      run?.pendingTs,
      run?.startedTs,
      run?.finishedTs,
    ].concat(details.lastTransitionTs);
    const moments = times.map((time) => Number(time?.seconds) * 1e9 + (time?.nanos ?? NaN));
    expect(moments).toEqual([...moments].sort((a, b) => a - b));
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('leaves out the spec and the runs unless they are requested, and jobs that do not exist', async () => {
    const jobId = await server.submit();
    await inState(jobId, JobState.SUCCEEDED);
    expect(await detailsOf(jobId, false, false)).toMatchObject({
      jobSpec: undefined,
      jobRuns: [],
      latestRunId: runIdOf({ jobId }, 1),
    });
    const request = { jobIds: ['nope'], expandJobSpec: true, expandJobRun: true };
    expect(await server.call(JobsService.getJobDetails, request)).toEqual({ jobDetails: {} });
  });

  it('returns both runs of a retried job, the newest first, and no error once it succeeded', async () => {
    const jobId = await server.submit('fate=retried exit 3');
    await inState(jobId, JobState.SUCCEEDED);
    expect((await detailsOf(jobId)).jobRuns.map(({ state }) => state)).toEqual([
      JobRunState.RUN_STATE_SUCCEEDED,
      JobRunState.RUN_STATE_FAILED,
    ]);
    const { jobErrors } = await server.call(JobsService.getJobErrors, { jobIds: [jobId] });
    expect(jobErrors).toEqual({ [jobId]: '' });
  });
});

describe('GetJobRunDetails', () => {
  it('returns runs by their ids, and leaves out those that do not exist', async () => {
    const jobId = await server.submit();
    await inState(jobId, JobState.SUCCEEDED);
    const runId = runIdOf({ jobId }, 1);
    const { jobRunDetails } = await server.call(JobsService.getJobRunDetails, { runIds: [runId, 'nope'] });
    expect(Object.keys(jobRunDetails)).toEqual([runId]);
    expect(jobRunDetails[runId]).toEqual((await detailsOf(jobId)).jobRuns[0]);
  });
});

describe('GetJobStatusUsingExternalJobUri', () => {
  const uri = 'airflow://dag/task';
  const ask = async (externalJobUri: string, jobset = 's'): Promise<string[]> => {
    const request = { queue: 'q', jobset, externalJobUri };
    const { jobStates } = await server.call(JobsService.getJobStatusUsingExternalJobUri, request);
    return Object.keys(jobStates).sort();
  };

  it('finds all jobs of the job set with this URI, by annotation or by field, which wins', async () => {
    const annotations = { [URI_ANNOTATION]: uri };
    const byAnnotation = await server.submit(undefined, { annotations });
    const byField = await server.submit(undefined, { externalJobUri: uri });
    const fieldWins = await server.submit(undefined, { annotations, externalJobUri: 'other' });
    await server.submit(undefined, { annotations }, 'another-set');
    expect(await ask(uri)).toEqual([byAnnotation, byField].sort());
    expect(await ask('other')).toEqual([fieldWins]);
    expect(await ask('nope')).toEqual([]);
  });

  it('compares 1,024 characters of a URI', async () => {
    const jobId = await server.submit(undefined, { externalJobUri: 'x'.repeat(2_000) });
    expect(await ask('x'.repeat(1_024))).toEqual([jobId]);
    expect(await ask('x'.repeat(2_000))).toEqual([]);
  });

  it('refuses an empty URI', async () => {
    await expect(ask('')).rejects.toMatchObject({ code: status.UNKNOWN });
  });
});

describe('GetActiveQueues', () => {
  it('names the queues that have jobs in clusters', async () => {
    expect(await server.call(JobsService.getActiveQueues, {})).toEqual({ activeQueuesByPool: {} });
    await inState(await server.submit('sleep forever'), JobState.RUNNING);
    expect(await server.call(JobsService.getActiveQueues, {})).toEqual({
      activeQueuesByPool: { default: { queues: ['q'] } },
    });
  });
});

describe('the limit of ids', () => {
  it('is 500, with the error text of each method', async () => {
    const ids = Array.from({ length: 501 }, (_, i) => `${i}`);
    const plain = { jobIds: ids, expandJobSpec: false, expandJobRun: false };
    const refused = (word: string) => ({
      code: status.UNKNOWN,
      details: `request contained more than 500 ${word}`,
    });
    await expect(server.call(JobsService.getJobStatus, plain)).rejects.toMatchObject(refused('jobIds'));
    await expect(server.call(JobsService.getJobDetails, plain)).rejects.toMatchObject(refused('jobIds'));
    await expect(server.call(JobsService.getJobErrors, plain)).rejects.toMatchObject(refused('JobIds'));
    await expect(server.call(JobsService.getJobRunDetails, { runIds: ids })).rejects.toMatchObject(
      refused('RunIds'),
    );
  });

  it('can be changed', async () => {
    await server.setFaults({ mostIds: 2 });
    await expect(server.call(JobsService.getJobStatus, { jobIds: ['a', 'b', 'c'] })).rejects.toMatchObject({
      details: 'request contained more than 2 jobIds',
    });
    const { jobStates } = await server.call(JobsService.getJobStatus, { jobIds: ['a', 'b'] });
    expect(Object.keys(jobStates)).toEqual(['a', 'b']);
  });
});

describe('api.Jobs that lags behind the events', () => {
  it('does not have a job that was just submitted', async () => {
    await server.setFaults({ lookoutLagMs: 3_600_000 });
    const jobId = await server.submit(undefined, { externalJobUri: 'u' });
    await eventually('it ended', () => server.armada.state.jobs.get(jobId)?.state === JobState.SUCCEEDED);
    expect(await stateOf(jobId)).toBe(JobState.UNKNOWN);
    await server.setFaults({});
    expect(await stateOf(jobId)).toBe(JobState.SUCCEEDED);
  });

  it('returns an earlier state of a job', async () => {
    const jobId = await server.submit('sleep forever');
    await inState(jobId, JobState.RUNNING);
    await server.setFaults({ lookoutLagMs: 3_600_000 });
    const before = await detailsOf(jobId);
    server.armada.submit.cancel(jobId, 'enough');
    expect(server.armada.state.jobs.get(jobId)?.state).toBe(JobState.CANCELLED);
    expect(await detailsOf(jobId)).toEqual(before);
    await server.setFaults({});
    expect(await detailsOf(jobId)).toMatchObject({ state: JobState.CANCELLED, cancelReason: 'enough' });
  });
});

describe('faults of api.Jobs', () => {
  it.each([
    [{ jobsUnimplemented: true }, status.UNIMPLEMENTED],
    [{ jobsUnavailable: true }, status.UNAVAILABLE],
    [{ jobsDenied: true }, status.PERMISSION_DENIED],
  ])('%o', async (faults, code) => {
    await server.setFaults(faults);
    await expect(stateOf('x')).rejects.toMatchObject({ code });
    await expect(server.call(JobsService.getActiveQueues, {})).rejects.toMatchObject({ code });
    expect((await server.read({})).end.code).toBe(status.OK);
  });
});
