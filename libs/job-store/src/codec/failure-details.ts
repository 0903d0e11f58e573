import type { JobRecord } from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';

/** What is kept apart from the record, since most jobs have none of it and reads of states need none of it. */
export interface FailureDetails {
  readonly failure?: JobRecord['failure'];
  readonly cancellation?: JobRecord['cancellation'];
  readonly preempted?: string;
}

/** Why the job failed, was cancelled or lost its run; `undefined` where there is nothing to keep. */
export function failureDetailsOf(record: JobRecord): FailureDetails | undefined {
  const { failure, cancellation, run } = record;
  if (failure === undefined && cancellation === undefined && run?.preempted === undefined) return undefined;
  return {
    ...(failure !== undefined && { failure }),
    ...(cancellation !== undefined && { cancellation }),
    ...(run?.preempted !== undefined && { preempted: run.preempted }),
  };
}

/** The failure details to write with a record that replaces another one: '' where they are none, or as before. */
export function changedFailureDetails(before: JobRecord | undefined, after: JobRecord): string {
  const details = failureDetailsOf(after);
  const isSame =
    before?.failure === after.failure &&
    before?.cancellation === after.cancellation &&
    before?.run?.preempted === after.run?.preempted;
  return details === undefined || isSame ? '' : encodeFailureDetails(details);
}

/** Failure details as Redis keeps them: JSON, in which a reader skips what it does not know. */
export function encodeFailureDetails(details: FailureDetails): string {
  return JSON.stringify(details);
}

/** The inverse of {@link encodeFailureDetails}. Throws {@link UnreadableRecordError}. */
export function decodeFailureDetails(text: string): FailureDetails {
  try {
    return JSON.parse(text) as FailureDetails;
  } catch (error) {
    throw new UnreadableRecordError(`its failure details are not JSON: ${String(error)}`);
  }
}
