import { JobRunState, type JobDetails, type JobRunDetails } from '@ajs/contracts/api/job';
import type {
  ArmadaTime,
  JobEnrichment,
  JobId,
  JobRecord,
  JobSetKey,
  JobState,
  ReportedRun,
  ReportedRuns,
  Run,
} from '@ajs/job-state';
import { toApiJobState } from './to-jobs-api.js';
import { toTimestamp } from './timestamps.js';

/**
 * A job as `GetJobDetails` shows it, from its record and its enrichment. As long as its latest run is not in the enrichment there is no
 * run in it: callers look a run up by its id, which the stream does not carry. The job's spec is Armada's alone.
 */
export function toJobDetails(
  jobId: JobId,
  { queue, jobSetId }: JobSetKey,
  record: JobRecord,
  enrichment: JobEnrichment,
): JobDetails {
  const { state, changedAt, submittedAt, cancellation } = record;
  const runs = enrichment.runs?.number === record.runNumber ? enrichment.runs : undefined;
  const cancelled = state === 'CANCELLED';
  return {
    jobId,
    queue,
    jobset: jobSetId,
    namespace: record.namespace ?? enrichment.namespace ?? '',
    state: toApiJobState(record),
    submittedTs: timestamp(submittedAt),
    cancelTs: cancelled ? toTimestamp(changedAt) : undefined,
    cancelReason: cancelled ? (enrichment.cancellation?.reason ?? cancellation?.reason ?? '') : '',
    cancelUser: cancelled ? (enrichment.cancellation?.user ?? cancellation?.requestor ?? '') : '',
    lastTransitionTs: toTimestamp(changedAt),
    latestRunId: runs?.latest.id ?? '',
    jobSpec: undefined,
    jobRuns:
      runs === undefined
        ? []
        : [toLatestRun(jobId, runs, record), ...runs.earlier.map((run) => toRunDetails(jobId, run))],
  };
}

/**
 * While it goes on the stream is ahead of what was fetched. Once it has ended, only Armada knows when: the event of the stream has the
 * time of the scheduler's verdict, which is seconds later, or minutes.
 */
function toLatestRun(
  jobId: JobId,
  { latest, isOver }: ReportedRuns,
  { state, run, reported }: JobRecord,
): JobRunDetails {
  const fetched = toRunDetails(jobId, latest);
  // Of a job whose end was reported, the stream may show an earlier run.
  if (run === undefined || (isOver && (run.endedAt !== undefined || reported !== undefined))) return fetched;
  return {
    ...fetched,
    state: toRunState(state, run),
    cluster: run.cluster ?? fetched.cluster,
    node: run.node ?? fetched.node,
    leasedTs: timestamp(run.leasedAt) ?? fetched.leasedTs,
    pendingTs: timestamp(run.pendingAt) ?? fetched.pendingTs,
    startedTs: timestamp(run.runningAt) ?? fetched.startedTs,
    finishedTs: undefined,
  };
}

function toRunDetails(jobId: JobId, run: ReportedRun): JobRunDetails {
  return {
    runId: run.id,
    jobId,
    state: run.state as JobRunState,
    cluster: run.cluster,
    node: run.node,
    leasedTs: timestamp(run.leasedAt),
    pendingTs: timestamp(run.pendingAt),
    startedTs: timestamp(run.runningAt),
    finishedTs: timestamp(run.endedAt),
    ingressAddresses: {},
  };
}

const timestamp = (time: ArmadaTime | undefined): JobDetails['submittedTs'] =>
  time === undefined ? undefined : toTimestamp(time);

const OUTCOMES: Record<NonNullable<Run['outcome']>, JobRunState> = {
  failed: JobRunState.RUN_STATE_FAILED,
  preempted: JobRunState.RUN_STATE_PREEMPTED,
  returned: JobRunState.RUNS_STATE_LEASE_RETURNED,
  expired: JobRunState.RUN_STATE_LEASE_EXPIRED,
};

/** The state of a job's latest run where the run has no outcome of its own: the job's end is its end. Exhaustive. */
const OF_JOB: Record<JobState, JobRunState> = {
  SUBMITTED: JobRunState.RUN_STATE_UNKNOWN,
  QUEUED: JobRunState.RUN_STATE_UNKNOWN,
  LEASED: JobRunState.RUN_STATE_LEASED,
  PENDING: JobRunState.RUN_STATE_PENDING,
  RUNNING: JobRunState.RUN_STATE_RUNNING,
  SUCCEEDED: JobRunState.RUN_STATE_SUCCEEDED,
  FAILED: JobRunState.RUN_STATE_FAILED,
  // As Armada's own api.Jobs, which does not use the state that its contract has for it.
  CANCELLED: JobRunState.RUN_STATE_UNKNOWN,
  PREEMPTED: JobRunState.RUN_STATE_PREEMPTED,
  REJECTED: JobRunState.RUN_STATE_FAILED,
  DUPLICATE_FOUND: JobRunState.RUN_STATE_UNKNOWN,
};

function toRunState(state: JobState, { outcome }: Run): JobRunState {
  return outcome === undefined ? OF_JOB[state] : OUTCOMES[outcome];
}
