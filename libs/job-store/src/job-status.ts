import type { JobRecord } from '@ajs/job-state';
import type { JobStatus } from './ports.js';

/** What a read of states says of this record, which changed last at this revision. */
export function jobStatus(record: JobRecord, revision: number | undefined): JobStatus {
  const { state, changedAt, failure, cancellation, lastEvent, reported } = record;
  return {
    state,
    changedAt,
    ...(revision !== undefined && { revision }),
    ...(lastEvent === undefined && { provisional: true }),
    ...(reported !== undefined && { reported: true }),
    ...(failure !== undefined && { failure }),
    ...(cancellation !== undefined && { cancellation }),
  };
}
