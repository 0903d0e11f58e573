import { JobRunState, type JobDetails, type JobRunDetails } from '@ajs/contracts/api/job';
import type { JobEnrichment, JobRecord, JobSetKey, JobState, Run, ArmadaTime, JobId } from '@ajs/job-state';
import { toApiJobState } from './to-jobs-api.js';
import { toTimestamp } from './timestamps.js';

/**
 * A job as `GetJobDetails` shows it, from its record and its enrichment. Without the id of its latest run there
 * is no run in it: callers look a run up by its id. The job's spec is Armada's alone.
 */
export function toJobDetails(
  jobId: JobId,
  { queue, jobSetId }: JobSetKey,
  record: JobRecord,
  enrichment: JobEnrichment,
): JobDetails {
  const { state, changedAt, submittedAt, cancellation } = record;
  const runId = enrichment.run?.number === record.runNumber ? enrichment.run.id : '';
  const cancelled = state === 'CANCELLED';
  return {
    jobId,
    queue,
    jobset: jobSetId,
    namespace: record.namespace ?? '',
    state: toApiJobState(record),
    submittedTs: timestamp(submittedAt),
    cancelTs: cancelled ? toTimestamp(changedAt) : undefined,
    cancelReason: cancelled ? (enrichment.cancellation?.reason ?? cancellation?.reason ?? '') : '',
    cancelUser: cancelled ? (enrichment.cancellation?.user ?? cancellation?.requestor ?? '') : '',
    lastTransitionTs: toTimestamp(changedAt),
    latestRunId: runId,
    jobSpec: undefined,
    jobRuns: runId === '' || record.run === undefined ? [] : [toRunDetails(jobId, runId, record, record.run)],
  };
}

function toRunDetails(jobId: JobId, runId: string, record: JobRecord, run: Run): JobRunDetails {
  return {
    runId,
    jobId,
    state: toRunState(record.state, run),
    cluster: run.cluster ?? '',
    node: run.node ?? '',
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
