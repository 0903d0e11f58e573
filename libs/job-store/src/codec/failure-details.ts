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
