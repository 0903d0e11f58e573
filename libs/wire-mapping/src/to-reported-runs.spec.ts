import { JobDetails, JobRunDetails, JobRunState } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { ArmadaTime } from '@ajs/job-state';
import { LONGEST_NAME, MOST_EARLIER_RUNS } from './bounds.js';
import { toTimestamp } from './timestamps.js';
import { toReportedRuns } from './to-reported-runs.js';

const EMPTY = new Uint8Array();

function run(runId: string, more: Partial<JobRunDetails> = {}): JobRunDetails {
  return { ...JobRunDetails.decode(EMPTY), runId, state: JobRunState.RUN_STATE_FAILED, ...more };
}

function runsOf(latestRunId: string, jobRuns: JobRunDetails[], state: JobState = JobState.RUNNING) {
  return toReportedRuns({ ...JobDetails.decode(EMPTY), latestRunId, jobRuns, state }, 3);
}

describe('the runs that Armada shows', () => {
  it('are the latest, by its id, and the others in their order', () => {
    const second = run('2', { leasedTs: toTimestamp(ArmadaTime(1_500)), cluster: 'c' });
    const runs = runsOf('3', [run('1'), run('3', { node: 'n' }), second]);
    expect(runs).toEqual({
      number: 3,
      latest: { id: '3', state: JobRunState.RUN_STATE_FAILED, cluster: '', node: 'n' },
      earlier: [
        { id: '1', state: JobRunState.RUN_STATE_FAILED, cluster: '', node: '' },
        { id: '2', state: JobRunState.RUN_STATE_FAILED, cluster: 'c', node: '', leasedAt: 1_500 },
      ],
      isOver: false,
    });
  });

  it('have the times of all that befell them', () => {
    const [leasedAt, pendingAt, runningAt, endedAt] = [1_000, 2_000, 3_000, 4_000];
    const times = {
      leasedTs: toTimestamp(ArmadaTime(1_000)),
      pendingTs: toTimestamp(ArmadaTime(2_000)),
      startedTs: toTimestamp(ArmadaTime(3_000)),
      finishedTs: toTimestamp(ArmadaTime(4_000)),
    };
    expect(runsOf('1', [run('1', times)])?.latest).toMatchObject({ leasedAt, pendingAt, runningAt, endedAt });
  });

  it('are none where the latest is not among them', () => {
    expect(runsOf('', [])).toBeUndefined();
    expect(runsOf('2', [run('1')])).toBeUndefined();
  });

  it('are over once the latest has its end, or the job has', () => {
    const finishedTs = toTimestamp(ArmadaTime(1_500));
    expect(runsOf('1', [run('1', { finishedTs })])?.isOver).toBe(true);
    expect(runsOf('1', [run('1')], JobState.CANCELLED)?.isOver).toBe(true);
    expect(runsOf('2', [run('2'), run('1', { finishedTs })])?.isOver).toBe(false);
    expect(runsOf('1', [run('1')], JobState.UNKNOWN)?.isOver).toBe(false);
  });

  it('are kept in a bounded number and length, the newest of them', () => {
    const long = 'x'.repeat(1_000);
    const many = Array.from({ length: 1_000 }, (_, i) => run(`${i}`, { node: long, cluster: long }));
    const runs = runsOf('0', many);
    expect(runs?.earlier.map(({ id }) => id)).toEqual(
      Array.from({ length: MOST_EARLIER_RUNS }, (_, i) => `${i + 1}`),
    );
    expect(runs?.latest.node).toHaveLength(LONGEST_NAME);
    expect(runs?.latest.cluster).toHaveLength(LONGEST_NAME);
    expect(runsOf(long, [run(long)])?.latest.id).toHaveLength(LONGEST_NAME);
  });
});
