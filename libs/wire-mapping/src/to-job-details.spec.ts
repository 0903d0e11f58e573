import { JobRunState } from '@ajs/contracts/api/job';
import { JobState as ApiJobState } from '@ajs/contracts/api/submit';
import {
  JobId,
  ArmadaTime,
  type JobEnrichment,
  type JobRecord,
  type JobState,
  type ReportedRuns,
  type RunOutcome,
} from '@ajs/job-state';
import { toJobDetails } from './to-job-details.js';
import { toTimestamp } from './timestamps.js';

const KEY = { queue: 'q', jobSetId: 's' };
const RUNS: ReportedRuns = {
  number: 2,
  latest: { id: 'run-2', state: JobRunState.RUN_STATE_LEASED, cluster: 'c', node: 'of Armada' },
  earlier: [
    {
      id: 'run-1',
      state: JobRunState.RUNS_STATE_LEASE_RETURNED,
      cluster: 'other',
      node: '',
      leasedAt: ArmadaTime(1_100),
      endedAt: ArmadaTime(1_200),
    },
  ],
  isOver: false,
};
const LATEST_IS_OVER: ReportedRuns = {
  ...RUNS,
  latest: {
    id: 'run-2',
    state: JobRunState.RUN_STATE_SUCCEEDED,
    cluster: 'c',
    node: 'n',
    leasedAt: ArmadaTime(1_500),
    pendingAt: ArmadaTime(2_000),
    runningAt: ArmadaTime(2_500),
    endedAt: ArmadaTime(2_700),
  },
  isOver: true,
};

function detailsOf(
  state: JobState,
  more: Partial<JobRecord> = {},
  enrichment: JobEnrichment = { runs: RUNS },
) {
  const run = {
    cluster: 'c',
    node: 'n',
    leasedAt: ArmadaTime(1_500),
    pendingAt: ArmadaTime(2_000),
    runningAt: ArmadaTime(2_500),
  };
  return toJobDetails(
    JobId('j'),
    KEY,
    { state, runNumber: 2, changedAt: ArmadaTime(9_001), run, ...more },
    enrichment,
  );
}

describe('the details of a job', () => {
  it('hold all that its record holds', () => {
    expect(detailsOf('RUNNING', { namespace: 'ns', submittedAt: ArmadaTime(1_000) })).toEqual({
      jobId: 'j',
      queue: 'q',
      jobset: 's',
      namespace: 'ns',
      state: ApiJobState.RUNNING,
      submittedTs: { seconds: '1', nanos: 0 },
      cancelTs: undefined,
      cancelReason: '',
      cancelUser: '',
      lastTransitionTs: { seconds: '9', nanos: 1_000_000 },
      latestRunId: 'run-2',
      jobSpec: undefined,
      jobRuns: [
        {
          runId: 'run-2',
          jobId: 'j',
          state: JobRunState.RUN_STATE_RUNNING,
          cluster: 'c',
          node: 'n',
          leasedTs: toTimestamp(ArmadaTime(1_500)),
          pendingTs: toTimestamp(ArmadaTime(2_000)),
          startedTs: toTimestamp(ArmadaTime(2_500)),
          finishedTs: undefined,
          ingressAddresses: {},
        },
        {
          runId: 'run-1',
          jobId: 'j',
          state: JobRunState.RUNS_STATE_LEASE_RETURNED,
          cluster: 'other',
          node: '',
          leasedTs: toTimestamp(ArmadaTime(1_100)),
          pendingTs: undefined,
          startedTs: undefined,
          finishedTs: toTimestamp(ArmadaTime(1_200)),
          ingressAddresses: {},
        },
      ],
    });
  });

  it('hold what Armada shows of the latest run where the stream has not shown it', () => {
    const { endedAt: _, ...latest } = LATEST_IS_OVER.latest;
    const runs = { ...LATEST_IS_OVER, latest, isOver: false };
    expect(detailsOf('LEASED', { run: { cluster: 'of the stream' } }, { runs }).jobRuns[0]).toMatchObject({
      cluster: 'of the stream',
      node: 'n',
      leasedTs: toTimestamp(ArmadaTime(1_500)),
      pendingTs: toTimestamp(ArmadaTime(2_000)),
      startedTs: toTimestamp(ArmadaTime(2_500)),
    });
    const withoutRun: JobRecord = { state: 'FAILED', runNumber: 2, changedAt: ArmadaTime(1) };
    expect(toJobDetails(JobId('j'), KEY, withoutRun, { runs: RUNS }).jobRuns[0]).toMatchObject({
      state: JobRunState.RUN_STATE_LEASED,
      node: 'of Armada',
    });
  });

  it('hold the latest run as Armada shows it where the end of the job was reported, and the stream has not shown it', () => {
    const details = detailsOf(
      'SUCCEEDED',
      { run: { node: 'of an earlier run' }, reported: {} },
      { runs: LATEST_IS_OVER },
    );
    expect(details.jobRuns[0]).toMatchObject({ node: 'n', finishedTs: toTimestamp(ArmadaTime(2_700)) });
  });

  it('hold the namespace that Armada has where the stream has not shown it', () => {
    expect(detailsOf('RUNNING', {}, { namespace: 'of Armada' }).namespace).toBe('of Armada');
    expect(detailsOf('RUNNING', { namespace: 'ns' }, { namespace: 'of Armada' }).namespace).toBe('ns');
  });

  it('hold the end of the latest run as Armada shows it, never that of the event, and none while the run goes on', () => {
    const endOf = (endedAt: number | undefined, runs: ReportedRuns) => {
      const run = { node: 'n', ...(endedAt !== undefined && { endedAt: ArmadaTime(endedAt) }) };
      return detailsOf('SUCCEEDED', { run }, { runs }).jobRuns[0]?.finishedTs;
    };
    expect(endOf(3_000, LATEST_IS_OVER)).toEqual(toTimestamp(ArmadaTime(2_700)));
    expect(endOf(3_000, RUNS)).toBeUndefined();
    expect(endOf(undefined, LATEST_IS_OVER)).toBeUndefined();
  });

  it('hold no run while the latest is not known', () => {
    for (const enrichment of [{}, { runs: { ...RUNS, number: 1 } }]) {
      expect(detailsOf('RUNNING', {}, enrichment)).toMatchObject({ latestRunId: '', jobRuns: [] });
    }
  });

  it('hold when, why and by whom a job was cancelled, as Armada reports it where that is known', () => {
    const cancellation = { reason: 'in the stream', requestor: 'me' };
    expect(detailsOf('CANCELLED', { cancellation })).toMatchObject({
      cancelTs: toTimestamp(ArmadaTime(9_001)),
      cancelReason: 'in the stream',
      cancelUser: 'me',
    });
    const enrichment = { cancellation: { reason: '', user: 'alice' } };
    expect(detailsOf('CANCELLED', { cancellation }, enrichment)).toMatchObject({
      cancelReason: '',
      cancelUser: 'alice',
    });
    expect(detailsOf('FAILED', { cancellation })).toMatchObject({ cancelTs: undefined, cancelReason: '' });
  });

  it.each<[JobState, RunOutcome | undefined, JobRunState]>([
    ['LEASED', undefined, JobRunState.RUN_STATE_LEASED],
    ['PENDING', undefined, JobRunState.RUN_STATE_PENDING],
    ['RUNNING', undefined, JobRunState.RUN_STATE_RUNNING],
    ['SUCCEEDED', undefined, JobRunState.RUN_STATE_SUCCEEDED],
    ['FAILED', undefined, JobRunState.RUN_STATE_FAILED],
    ['CANCELLED', undefined, JobRunState.RUN_STATE_UNKNOWN],
    ['PREEMPTED', undefined, JobRunState.RUN_STATE_PREEMPTED],
    ['REJECTED', undefined, JobRunState.RUN_STATE_FAILED],
    ['DUPLICATE_FOUND', undefined, JobRunState.RUN_STATE_UNKNOWN],
    ['SUBMITTED', undefined, JobRunState.RUN_STATE_UNKNOWN],
    ['QUEUED', undefined, JobRunState.RUN_STATE_UNKNOWN],
    ['QUEUED', 'failed', JobRunState.RUN_STATE_FAILED],
    ['QUEUED', 'preempted', JobRunState.RUN_STATE_PREEMPTED],
    ['QUEUED', 'returned', JobRunState.RUNS_STATE_LEASE_RETURNED],
    ['QUEUED', 'expired', JobRunState.RUN_STATE_LEASE_EXPIRED],
    // Cancelled while it waited for another run: the one before had ended already.
    ['CANCELLED', 'failed', JobRunState.RUN_STATE_FAILED],
  ])('of a job that is %s, its run %s, hold the run’s state', (state, outcome, expected) => {
    const run = { leasedAt: ArmadaTime(1), ...(outcome !== undefined && { outcome }) };
    expect(detailsOf(state, { run }).jobRuns[0]?.state).toBe(expected);
  });
});
