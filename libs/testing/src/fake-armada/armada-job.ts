import type { EventMessage } from '@ajs/contracts/api/event';
import { JobRunDetails, JobRunState, type JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { Timestamp } from '@ajs/contracts/google/protobuf/timestamp';
import { NODE, runIdOf, timestamp, type JobRef } from './job-events.js';

/** A job as this server stores it. Changes replace its values and never mutate them, so that a copy stays as it was. */
export interface ArmadaJob
  extends
    JobRef,
    Pick<
      JobDetails,
      | 'namespace'
      | 'submittedTs'
      | 'cancelTs'
      | 'cancelReason'
      | 'cancelUser'
      | 'lastTransitionTs'
      | 'jobSpec'
      /** The newest first, as in Armada's responses. */
      | 'jobRuns'
    > {
  state: JobState;
  /** Of the newest run, or of the job as a whole. */
  error: string;
  externalJobUri: string;
}

/** From the end of a run to the event with which the scheduler reports it: on real servers 600 ms and more. */
const VERDICT_DELAY_MS = 600;
/** Armada truncates longer ones. Characters. */
const MAX_URI_LENGTH = 1_024;
export const URI_ANNOTATION = 'armadaproject.io/externalJobUri';

/** A queued job with these fields, and defaults for all others. */
export function armadaJob(ref: JobRef, fields: Partial<ArmadaJob> = {}): ArmadaJob {
  return {
    jobId: ref.jobId,
    queue: ref.queue,
    jobSetId: ref.jobSetId,
    state: JobState.QUEUED,
    error: '',
    externalJobUri: '',
    namespace: 'default',
    submittedTs: undefined,
    cancelTs: undefined,
    cancelReason: '',
    cancelUser: '',
    lastTransitionTs: undefined,
    jobSpec: undefined,
    jobRuns: [],
    ...fields,
  };
}

/** The URI of a job that was submitted with an annotation, the field, or both: the field wins then. */
export function externalUriOf(annotations: Readonly<Record<string, string>>, field = ''): string {
  return (field === '' ? (annotations[URI_ANNOTATION] ?? '') : field).slice(0, MAX_URI_LENGTH);
}

/** Applies an event to a job, apart from its state and its error. */
export function applyEvent(job: ArmadaJob, { events }: EventMessage): void {
  if (events === undefined) return;
  const created = events.value.created;
  switch (events.$case) {
    case 'submitted': {
      const spec = events.value.job;
      job.submittedTs = created;
      job.jobSpec = spec;
      job.namespace = spec?.namespace ?? '';
      if (job.externalJobUri === '') job.externalJobUri = externalUriOf(spec?.annotations ?? {});
      break;
    }
    case 'leased': {
      const run: JobRunDetails = {
        ...JobRunDetails.decode(new Uint8Array()),
        runId: runIdOf(job, job.jobRuns.length + 1),
        jobId: job.jobId,
        state: JobRunState.RUN_STATE_LEASED,
        cluster: events.value.clusterId,
        node: NODE,
        leasedTs: created,
      };
      job.jobRuns = [run, ...job.jobRuns];
      break;
    }
    case 'pending':
      changeRun(job, { state: JobRunState.RUN_STATE_PENDING, pendingTs: created });
      break;
    case 'running': {
      const node = events.value.nodeName;
      changeRun(job, { state: JobRunState.RUN_STATE_RUNNING, startedTs: created, node });
      break;
    }
    case 'leaseReturned':
      changeRun(job, { state: JobRunState.RUNS_STATE_LEASE_RETURNED, finishedTs: created });
      break;
    case 'leaseExpired':
      changeRun(job, { state: JobRunState.RUN_STATE_LEASE_EXPIRED, finishedTs: created });
      break;
    case 'preempted': {
      const { runId } = events.value;
      changeRun(job, {
        state: JobRunState.RUN_STATE_PREEMPTED,
        finishedTs: created,
        ...(runId !== '' && { runId }),
      });
      break;
    }
    case 'succeeded':
      endRun(job, JobRunState.RUN_STATE_SUCCEEDED, created);
      break;
    case 'failed':
      endRun(job, JobRunState.RUN_STATE_FAILED, created);
      break;
    case 'cancelled':
      job.cancelTs = created;
      job.cancelUser = events.value.requestor;
      // Armada's own api.Jobs has no state for a cancelled run.
      changeRun(job, { state: JobRunState.RUN_STATE_UNKNOWN, finishedTs: created });
      break;
    case 'queued':
    case 'unableToSchedule':
    case 'duplicateFound':
    case 'reprioritizing':
    case 'reprioritized':
    case 'cancelling':
    case 'preempting':
    case 'utilisation':
    case 'ingressInfo':
    case 'terminated':
    case 'updated':
      return;
  }
  job.lastTransitionTs = created;
}

/** Ends the newest run, of which the scheduler reported the end with an event of this time: it ended a while before. */
function endRun(job: ArmadaJob, state: JobRunState, reportedTs: Timestamp | undefined): void {
  const [run] = job.jobRuns;
  const begunMs = msOf(run?.startedTs ?? run?.pendingTs ?? run?.leasedTs);
  changeRun(job, { state, finishedTs: timestamp(Math.max(begunMs, msOf(reportedTs) - VERDICT_DELAY_MS)) });
}

const msOf = (time: Timestamp | undefined): number =>
  time === undefined ? 0 : Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1e6);

/** Changes the newest run unless it has ended: `failed` follows `preempted`, and must not replace it. */
function changeRun(job: ArmadaJob, change: Partial<JobRunDetails>): void {
  const [run, ...earlier] = job.jobRuns;
  if (run === undefined || run.finishedTs !== undefined) return;
  job.jobRuns = [{ ...run, ...change }, ...earlier];
}
