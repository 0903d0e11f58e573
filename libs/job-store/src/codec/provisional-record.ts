import type { JobRecord } from '@ajs/job-state';
import type { ProvisionalJob } from '../ports.js';

/** What is learned of a job, as a record: without a last event, so that whatever the stream shows applies to it. */
export function toProvisionalRecord({ state, changedAt, submittedAt, failure }: ProvisionalJob): JobRecord {
  return {
    state,
    runNumber: 0,
    changedAt,
    ...(submittedAt !== undefined && { submittedAt }),
    ...(failure !== undefined && { failure }),
  };
}
