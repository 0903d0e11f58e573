import type {
  Cancellation,
  Failure,
  Job,
  JobRef,
  Run,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import {
  isFailure,
  isTerminal,
  type JobEnrichment,
  type JobId,
  type JobRecord,
  type JobSetKey,
} from '@ajs/job-state';
import { LONGEST_REASON, cutToBytes } from '../bounds.js';
import { optionalTimestamp, toTimestamp } from '../timestamps.js';
import { toV2JobState } from './job-states.js';

/** Names a job of a job set. */
export function toJobRef(jobId: JobId, { queue, jobSetId }: JobSetKey): JobRef {
  return { queue, jobSet: jobSetId, jobId };
}

/** A job as `jobservice.v2` shows it, from its record and its enrichment: what neither holds is left out. */
export function toV2Job(jobId: JobId, key: JobSetKey, record: JobRecord, enrichment: JobEnrichment): Job {
  const { state, changedAt, submittedAt } = record;
  const terminal = isTerminal(state);
  const cancellation = toCancellation(record, enrichment);
  return {
    ref: toJobRef(jobId, key),
    state: toV2JobState(state),
    terminal,
    reason: reasonOf(record, cancellation),
    failure: toFailure(record),
    failedRuns: record.failedRuns ?? 0,
    latestRun: toRun(record, enrichment),
    namespace: record.namespace ?? enrichment.namespace ?? '',
    externalUri: record.externalUri ?? '',
    submittedAt: optionalTimestamp(submittedAt),
    stateChangedAt: toTimestamp(changedAt),
    endedAt: terminal ? toTimestamp(changedAt) : undefined,
    cancellation,
  };
}

/** Why the job is in its state. One that waits again is in it because of how its last run ended. */
function reasonOf({ state, run, failure }: JobRecord, cancellation: Cancellation | undefined): string {
  if (state === 'CANCELLED') return cancellation?.reason ?? '';
  const waitsAgain = state === 'QUEUED' && run?.outcome !== undefined;
  return isFailure(state) || waitsAgain ? cutToBytes(failure?.reason ?? '', LONGEST_REASON) : '';
}

function toFailure({ state, run, failure }: JobRecord): Failure | undefined {
  if (failure === undefined) return undefined;
  const exitReasons = new Map(Object.entries(failure.exitReasons ?? {}));
  return {
    category: failure.category ?? '',
    containers: Object.entries(failure.exitCodes ?? {}).map(([container, exitCode]) => ({
      container,
      exitCode,
      reason: exitReasons.get(container) ?? '',
    })),
    preempted: state === 'PREEMPTED' || run?.outcome === 'preempted',
  };
}

function toRun({ run, runNumber }: JobRecord, { runs }: JobEnrichment): Run | undefined {
  if (run === undefined) return undefined;
  return {
    number: runNumber,
    runId: runs?.number === runNumber ? runs.latest.id : '',
    cluster: run.cluster ?? '',
    node: run.node ?? '',
    pod: run.podName ?? '',
    pool: run.pool ?? '',
    leasedAt: optionalTimestamp(run.leasedAt),
    pendingAt: optionalTimestamp(run.pendingAt),
    runningAt: optionalTimestamp(run.runningAt),
    endedAt: optionalTimestamp(run.endedAt),
  };
}

/** Armada's own database has the caller's words in full where the event of the stream does not. */
function toCancellation(
  { state, cancellation }: JobRecord,
  enrichment: JobEnrichment,
): Cancellation | undefined {
  if (state !== 'CANCELLED') return undefined;
  const reason = enrichment.cancellation?.reason ?? cancellation?.reason ?? '';
  const requestor = enrichment.cancellation?.user ?? cancellation?.requestor ?? '';
  return { reason: cutToBytes(reason, LONGEST_REASON), requestor };
}
