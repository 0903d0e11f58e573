import {
  AbsenceKind,
  JobState,
  JobStatusServiceService,
  SubscriptionState,
  type JobRef,
  type JobResult,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { allRecordings, jobEvents, unary } from '@ajs/testing';
import { jobIdFor } from './job-ids.js';
import { Stack, type RunningQuery } from './stack.js';

let stack: Stack;
let query: RunningQuery;

beforeAll(async () => {
  stack = await Stack.start();
  [query] = await Promise.all([stack.query(), stack.ingester()]);
}, 180_000);
afterAll(() => stack.stop());

const get = async (refs: readonly JobRef[], maxAge?: string): Promise<JobResult[]> => {
  const request = {
    refs: [...refs],
    maxAge: maxAge === undefined ? undefined : { seconds: maxAge, nanos: 0 },
  };
  return (await unary(query.client, JobStatusServiceService.batchGetJobs, request)).answer.results;
};

describe('jobservice.v2 of a running service', () => {
  it.each(allRecordings())('shows the jobs of the recording $name at the first call', async (recording) => {
    stack.armada.replay(recording);
    const { queue, jobSetId } = recording;
    const jobIds = Object.keys(recording.states);
    const refs = jobIds.map((jobId) => ({ queue, jobSet: jobSetId, jobId }));
    const results = await get(refs);
    for (const [i, jobId] of jobIds.entries()) {
      const state = JobState[`JOB_STATE_${recording.states[jobId] as 'FAILED'}`];
      expect(results[i]).toMatchObject({
        ref: refs[i],
        result: { $case: 'job', value: { ref: refs[i], state } },
        freshness: { state: SubscriptionState.SUBSCRIPTION_STATE_LIVE },
      });
    }
    const byId = await get(jobIds.map((jobId) => ({ queue: '', jobSet: '', jobId })));
    expect(byId.map(({ result }) => result)).toEqual(results.map(({ result }) => result));
  });

  it('shows of a job that failed twice and then succeeded how often it failed, why, and its external URI', async () => {
    const job = { queue: 'retried', jobSetId: 's', jobId: jobIdFor('fails twice') };
    const uri = 'airflow://dag/task/1';
    const spec = { namespace: 'ns', annotations: { 'armadaproject.io/externalJobUri': uri } };
    const failedRun = [
      ...jobEvents.leased(job),
      ...jobEvents.running(job, spec),
      ...jobEvents.failed(job, 137, true),
    ];
    const log = stack.armada.state.openLog(job.queue, job.jobSetId);
    log.append([...jobEvents.submitted(job, spec), ...failedRun, ...failedRun]);
    log.append([...jobEvents.leased(job), ...jobEvents.running(job, spec), ...jobEvents.succeeded(job)]);
    const [shown] = await get([{ queue: job.queue, jobSet: job.jobSetId, jobId: job.jobId }]);
    expect(shown?.result?.value).toMatchObject({
      state: JobState.JOB_STATE_SUCCEEDED,
      failedRuns: 2,
      latestRun: { number: 3 },
      externalUri: uri,
      failure: { containers: [{ container: 'main', exitCode: 137, reason: 'Error' }] },
    });
  });

  it('proves that a job does not exist, and reads anew what is to be fresh', async () => {
    const [recording] = allRecordings();
    if (recording === undefined) throw new Error('there is no recording');
    stack.armada.replay(recording);
    const { queue, jobSetId: jobSet } = recording;
    const before = Date.now();
    const [absent] = await get([{ queue, jobSet, jobId: 'nobody' }], '0');
    expect(absent?.result).toMatchObject({ value: { kind: AbsenceKind.ABSENCE_KIND_NOT_FOUND } });
    expect(Number(absent?.freshness?.syncedAt?.seconds) * 1_000).toBeGreaterThanOrEqual(before - 1_000);
  });

  it('lists over gRPC and HTTP what it has', async () => {
    const [recording] = allRecordings();
    if (recording === undefined) throw new Error('there is no recording');
    const { queue, jobSetId: jobSet } = recording;
    const { answer } = await unary(query.client, JobStatusServiceService.listJobs, {
      queue,
      jobSet,
      states: [],
      pageSize: 0,
      pageToken: '',
    });
    expect(answer.jobs.map(({ ref }) => ref?.jobId).sort()).toEqual(Object.keys(recording.states).sort());
    const path = `/v2/queues/${encodeURIComponent(queue)}/job-sets/${encodeURIComponent(jobSet)}`;
    const overHttp = (await (await fetch(`${query.http}${path}`)).json()) as { jobSet: object };
    expect(overHttp.jobSet).toMatchObject({
      queue,
      jobSet,
      followed: true,
      owner: expect.any(String) as string,
    });
    const listed = (await (await fetch(`${query.http}/v2/job-sets`)).json()) as { jobSets: object[] };
    expect(listed.jobSets).toContainEqual(expect.objectContaining({ queue, jobSet }));
  });
});
