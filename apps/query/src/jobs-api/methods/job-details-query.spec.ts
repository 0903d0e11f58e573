import { JobId, addMs } from '@ajs/job-state';
import { ArmadaJobsError } from '@ajs/armada-client';
import { JobRunState, type JobDetails, type JobRunDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { toTimestamp } from '@ajs/wire-mapping';
import { JobsApiHarness, KEY, START, jobRecord } from '../testing/jobs-api-harness.js';

const RUN = { cluster: 'c', node: 'n', leasedAt: START };

function runDetails(runId: string, leasedAt = START): Pick<JobDetails, 'latestRunId' | 'jobRuns'> {
  const run: JobRunDetails = {
    runId,
    jobId: 'j',
    state: JobRunState.RUN_STATE_RUNNING,
    cluster: 'c',
    node: 'n',
    leasedTs: toTimestamp(leasedAt),
    pendingTs: undefined,
    startedTs: undefined,
    finishedTs: undefined,
    ingressAddresses: {},
  };
  return { latestRunId: runId, jobRuns: [run] };
}

describe('GetJobDetails', () => {
  let h: JobsApiHarness;

  beforeEach(() => {
    h = new JobsApiHarness();
  });

  it('fetches the id of a run once, and answers the rest from the cache', async () => {
    await h.write({ j: jobRecord('RUNNING', { run: RUN, namespace: 'ns' }) });
    h.armada.add('j', runDetails('run-1'));
    for (let i = 0; i < 3; i++) {
      expect(await h.details('j')).toMatchObject({
        jobId: 'j',
        queue: 'q',
        jobset: 's',
        namespace: 'ns',
        state: JobState.RUNNING,
        latestRunId: 'run-1',
        jobRuns: [{ runId: 'run-1', cluster: 'c', node: 'n', state: JobRunState.RUN_STATE_RUNNING }],
      });
    }
    expect(h.armada.calls).toEqual([['details', 'j']]);
  });

  it('does not take the previous run for the latest, and asks for the latest again only after a while', async () => {
    await h.write({ j: jobRecord('LEASED', { run: RUN, runNumber: 2 }) });
    h.armada.add('j', runDetails('run-1', addMs(START, -60_000)));
    expect(await h.details('j')).toMatchObject({ latestRunId: '', jobRuns: [] });
    await h.details('j');
    expect(h.armada.calls).toHaveLength(1);
  });

  it('takes the run that Armada shows for the one whose lease the stream has not shown', async () => {
    await h.write({ j: jobRecord('RUNNING', { run: { cluster: 'c', node: 'n' } }) });
    h.armada.add('j', runDetails('run-1'));
    expect(await h.details('j')).toMatchObject({ latestRunId: 'run-1' });
  });

  it('answers the state that Redis holds, with its time, where it came further while Armada was asked', async () => {
    h.armada.add('x', runDetails('run-1'));
    const details = h.armada.details.bind(h.armada);
    const at = addMs(START, 5_000);
    h.armada.details = async (jobIds) => {
      await h.store.report(KEY, new Map([[JobId('x'), { state: 'SUCCEEDED', at }]]));
      return details(jobIds);
    };
    expect(await h.details('x')).toMatchObject({
      state: JobState.SUCCEEDED,
      lastTransitionTs: toTimestamp(at),
      latestRunId: 'run-1',
    });
  });

  it('fetches the cancellation of a job once', async () => {
    await h.write({ j: jobRecord('CANCELLED', { cancellation: { reason: '', requestor: 'me' } }) });
    const cancelTs = toTimestamp(START);
    h.armada.add('j', { cancelTs, cancelReason: 'enough', cancelUser: 'alice' });
    for (let i = 0; i < 2; i++) {
      expect(await h.details('j')).toMatchObject({
        state: JobState.CANCELLED,
        cancelTs,
        cancelReason: 'enough',
        cancelUser: 'alice',
      });
    }
    expect(h.armada.calls).toHaveLength(1);
  });

  it('answers from the cache, without a run, where Armada is unavailable or lacks the method', async () => {
    await h.write({ j: jobRecord('RUNNING', { run: RUN }) });
    for (const kind of ['unavailable', 'unsupported'] as const) {
      h.armada.failure = new ArmadaJobsError(kind, 'no');
      expect(await h.details('j')).toMatchObject({ state: JobState.RUNNING, latestRunId: '', jobRuns: [] });
    }
  });

  it('includes the spec of the job and its runs only where they were requested', async () => {
    await h.write({ j: jobRecord('RUNNING', { run: RUN }) });
    h.armada.add('j', { ...runDetails('run-1'), jobSpec: { id: 'j' } as JobDetails['jobSpec'] });
    expect(await h.details('j', { spec: true, runs: false })).toMatchObject({
      jobSpec: { id: 'j' },
      latestRunId: 'run-1',
      jobRuns: [],
    });
  });

  it('answers Armada’s details of a job that is not cached, and records the job', async () => {
    h.armada.add('x', runDetails('run-1'));
    expect(await h.details('x')).toEqual(h.armada.jobs.get('x'));
    expect(await h.details('y')).toBeUndefined();
    expect((await h.store.locate([JobId('x')])).get(JobId('x'))).toEqual(KEY);
  });
});
