import type { JobRecord } from '@ajs/job-state';
import type { ProvisionalJob } from '../ports.js';

/** A provisional job as a record: without a last event, so that every event of the stream applies to it. */
export function toProvisionalRecord({ state, changedAt, submittedAt, failure }: ProvisionalJob): JobRecord {
  return {
    state,
    runNumber: 0,
    changedAt,
    ...(submittedAt !== undefined && { submittedAt }),
    ...(failure !== undefined && { failure }),
  };
}
