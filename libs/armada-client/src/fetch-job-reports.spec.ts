import { JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { JobId } from '@ajs/job-state';
import { ArmadaJobsError, type ArmadaJobs } from './armada-jobs.js';
import { fetchJobReports } from './fetch-job-reports.js';

/** Armada with a job for each of these states, whose id is the state's name. */
function armadaWith(states: readonly JobState[], errors: ArmadaJobs['errors']) {
  const jobs = states.map((state) => ({ ...JobDetails.decode(new Uint8Array()), jobId: `${state}`, state }));
  const asked: JobId[] = [];
  const expanded: Parameters<ArmadaJobs['details']>[1][] = [];
  return {
    asked,
    expanded,
    details: (_: unknown, expand: Parameters<ArmadaJobs['details']>[1]) => {
      expanded.push(expand);
      return Promise.resolve(new Map(jobs.map((job) => [JobId(job.jobId), job])));
    },
    errors: (jobIds: readonly JobId[]) => {
      asked.push(...jobIds);
      return errors(jobIds);
    },
  };
}

describe('reports of api.Jobs', () => {
  it('have the reasons of the jobs that failed, for which alone they are asked', async () => {
    const armada = armadaWith([JobState.RUNNING, JobState.FAILED, JobState.SUCCEEDED], (ids) =>
      Promise.resolve(new Map(ids.map((id) => [id, 'exit 7']))),
    );
    const reports = await fetchJobReports(armada, []);
    expect(Array.from(reports.values(), ({ report }) => report)).toEqual([
      { state: 'RUNNING' },
      { state: 'FAILED', failure: { reason: 'exit 7' } },
      { state: 'SUCCEEDED' },
    ]);
    expect(armada.asked).toEqual([`${JobState.FAILED}`]);
  });

  it('are made of all runs of a job, and have its spec where that is wanted', async () => {
    const armada = armadaWith([JobState.RUNNING], () => Promise.resolve(new Map()));
    await fetchJobReports(armada, []);
    await fetchJobReports(armada, [], { spec: true });
    expect(armada.expanded).toEqual([
      { spec: false, runs: true },
      { spec: true, runs: true },
    ]);
  });

  it('ask for no reasons where no job failed, and leave out the state that this version does not know', async () => {
    const armada = armadaWith([99 as JobState], () => Promise.reject(new Error('asked')));
    const [job] = (await fetchJobReports(armada, [])).values();
    expect([job?.details.state, job?.report]).toEqual([99, undefined]);
  });

  it('come without the reasons where these cannot be had, and not at all at a defect', async () => {
    let failure: Error = new ArmadaJobsError('unavailable', 'no');
    const armada = armadaWith([JobState.FAILED], () => Promise.reject(failure));
    expect((await fetchJobReports(armada, [])).get(JobId(`${JobState.FAILED}`))?.report).toEqual({
      state: 'FAILED',
    });
    failure = new TypeError('undefined is not a function');
    await expect(fetchJobReports(armada, [])).rejects.toBe(failure);
  });
});
