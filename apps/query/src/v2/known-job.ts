import type { Freshness, JobResult } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobSetKey } from '@ajs/job-state';
import type { JobSetDetails, ReadJob } from '@ajs/job-store';
import type { JobSetTag } from '@ajs/redis-keys';
import {
  decodeJobResult,
  toAbsentResult,
  toFreshness,
  toJobResult,
  toV2Job,
  type Absent,
} from '@ajs/wire-mapping';
import type { ShownJob } from './known-jobs.js';
import type { RequestedJob } from './requests.js';

/** What is known of a job. */
export type Known = (
  | { readonly read: ReadJob; readonly key: JobSetKey; readonly tag: JobSetTag }
  /** `isReadAgain`: it has ended, and was read to see whether anything was added. */
  | { readonly shown: ShownJob; readonly encoded: Uint8Array; readonly isReadAgain: boolean }
  | { readonly absent: Absent; readonly reason: string }
) & {
  readonly freshness: Freshness | undefined;
};

export function notSynced(reason: string, view: JobSetDetails): Known {
  return { absent: 'not-synced', reason, freshness: freshnessOf(view) };
}

/** @param isIndexed whether the job index has the job in this job set: it was there once */
export function absentOnTwoWitnesses(isIndexed: boolean, view: JobSetDetails): Known {
  const freshness = freshnessOf(view);
  if (isIndexed) {
    return { absent: 'expired', reason: 'the job existed, and Armada has its events no longer', freshness };
  }
  const reason = 'the event stream of the job set does not hold the job, nor does Armada know it otherwise';
  return { absent: 'not-found', reason, freshness };
}

/** Answers from one read share it. */
const freshness = new WeakMap<JobSetDetails, Freshness>();

export function freshnessOf(view: JobSetDetails): Freshness | undefined {
  const { subscription, cursor } = view;
  if (subscription === undefined) return undefined;
  const shown = freshness.get(view) ?? toFreshness(subscription, cursor);
  freshness.set(view, shown);
  return shown;
}

export function toResult({ ref, jobId }: RequestedJob, known: Known): JobResult {
  if ('shown' in known) return decodeJobResult(known);
  if ('absent' in known) return toAbsentResult(ref, known.absent, known.reason, known.freshness);
  const { key, read } = known;
  return toJobResult(ref, toV2Job(jobId, key, read.record, read.enrichment), known.freshness);
}
