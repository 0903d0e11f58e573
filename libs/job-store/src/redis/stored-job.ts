import type { JobId } from '@ajs/job-state';
import { decodeEnrichment } from '../codec/enrichment-codec.js';
import { decodeFailureDetails } from '../codec/failure-details.js';
import { decodeRecord, type StringOfNumber } from '../codec/record-codec.js';
import type { DetailedJob } from '../ports.js';

/** What Redis keeps of one job. */
export interface StoredJob {
  readonly record: Buffer;
  readonly failureDetails: Buffer | undefined;
  readonly enrichment: Buffer | undefined;
}

/** Throws UnreadableRecordError. */
export function decodeJob(
  jobId: JobId,
  { record, failureDetails, enrichment }: StoredJob,
  stringOf: StringOfNumber,
): DetailedJob {
  const details = failureDetails && decodeFailureDetails(failureDetails.toString());
  return {
    record: decodeRecord(jobId, record, details, stringOf),
    enrichment: enrichment === undefined ? {} : decodeEnrichment(enrichment.toString()),
  };
}
