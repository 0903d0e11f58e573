import { withFailure, type JobRecord } from './job-record.js';
import { isFailure, isTerminal, type JobState, type TerminalState } from './job-states.js';
import { compareStages, stageOf } from './stage.js';
import { ArmadaTime } from './times.js';

/** What Armada's own `api.Jobs` reports of a job. */
export interface JobReport extends Pick<JobRecord, 'submittedAt' | 'failure' | 'cancellation'> {
  readonly state: JobState;
  /** Since when it is in this state. Left out where that is not known. */
  readonly at?: ArmadaTime;
  /** When its latest run was leased. Left out where it has no run, or where that is not known. */
  readonly leasedAt?: ArmadaTime;
}

/** A report of how a job ended. */
export type JobEnd = JobReport & { readonly state: TerminalState };

/** Whether the job has ended. */
export function isJobEnd(reported: JobReport): reported is JobEnd {
  return isTerminal(reported.state);
}

/**
 * Gives a job the state that Armada's `api.Jobs` reports, where that is further in the job's life than its record; `fold` then adds what
 * the stream shows. An end stays: it is given only what an earlier report of the same end left out. The very same object comes back where
 * nothing changes.
 */
export function report(record: JobRecord | undefined, reported: JobReport): JobRecord {
  const { state, leasedAt, submittedAt, failure, cancellation } = reported;
  if (record !== undefined && isTerminal(record.state)) return completed(record, reported);
  const at = reported.at ?? record?.changedAt ?? submittedAt ?? ArmadaTime(0);
  if (record !== undefined && compareStages({ state, at, leasedAt }, stageOf(record)) <= 0) return record;
  const next: JobRecord = {
    ...(record ?? { runNumber: 0 }),
    state,
    changedAt: at,
    reported: { ...(leasedAt !== undefined && { leasedAt }) },
    ...(submittedAt !== undefined && { submittedAt }),
    ...(cancellation !== undefined && { cancellation }),
  };
  // The failure of an earlier run says nothing of how the job ended.
  return failure !== undefined || isFailure(state) ? withFailure(next, failure) : next;
}

function completed(record: JobRecord, { state, failure, cancellation }: JobReport): JobRecord {
  const lacksFailure = failure !== undefined && record.failure === undefined;
  const lacksCancellation = cancellation !== undefined && record.cancellation === undefined;
  const isSameEnd = record.reported !== undefined && record.state === state;
  if (!isSameEnd || !(lacksFailure || lacksCancellation)) return record;
  return { ...record, ...(lacksFailure && { failure }), ...(lacksCancellation && { cancellation }) };
}
