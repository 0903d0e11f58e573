import type { JobId } from '@ajs/job-state';
import { decodeEnrichment, decodeExternalUri } from './enrichment-codec.js';
import { decodeFailureDetails } from './failure-details.js';
import { placeOf, type ListedUpTo } from './job-place.js';
import { decodeRecord, decodeRevision, type StringOfNumber } from './record-codec.js';
import type { DetailedJob } from '../ports.js';

/** What Redis keeps of one job. */
export interface StoredJob {
  readonly record: Buffer;
  readonly failureDetails: Buffer | undefined;
  /** Enrichment, and the external URI. */
  readonly enrichment: Buffer | undefined;
}

/** A job in the order in which jobs are listed. */
export interface ListedJob extends ListedUpTo {
  readonly stored: StoredJob;
}

/** From its packed id and what Redis keeps of it: its record, and '' for what there is none of. */
export function listedJob(
  packedId: Buffer,
  record: Buffer,
  failureDetails: Buffer,
  enrichment: Buffer,
): ListedJob {
  const stored = {
    record,
    failureDetails: unlessEmpty(failureDetails),
    enrichment: unlessEmpty(enrichment),
  };
  return { place: placeOf(packedId), packedId, stored };
}

/** From a reply of scripts, which has four entries for each job. */
export function listedJobs(entries: readonly Buffer[]): ListedJob[] {
  const jobs: ListedJob[] = [];
  for (let i = 0; i + 3 < entries.length; i += 4) {
    jobs.push(listedJob(...(entries.slice(i, i + 4) as [Buffer, Buffer, Buffer, Buffer])));
  }
  return jobs;
}

function unlessEmpty(bytes: Buffer): Buffer | undefined {
  return bytes.length === 0 ? undefined : bytes;
}

/** Throws UnreadableRecordError. */
export function decodeJob(
  jobId: JobId,
  { record, failureDetails, enrichment }: StoredJob,
  stringOf: StringOfNumber,
): DetailedJob {
  const details = failureDetails && decodeFailureDetails(failureDetails.toString());
  const revision = decodeRevision(record);
  const decoded = decodeRecord(jobId, record, details, stringOf);
  const revised = revision > 0 && { revision };
  if (enrichment === undefined) return { ...revised, record: decoded, enrichment: {} };
  const beside = enrichment.toString();
  const externalUri = decodeExternalUri(beside);
  return {
    ...revised,
    record: externalUri === undefined ? decoded : { ...decoded, externalUri },
    enrichment: decodeEnrichment(beside),
  };
}
