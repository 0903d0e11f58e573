import {
  Job,
  type Freshness,
  type JobRef,
  type JobResult,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobId, JobSetKey } from '@ajs/job-state';
import type { DetailedJob, JobSetDetails } from '@ajs/job-store';
import {
  toAbsentResult,
  toFreshness,
  toJobResult,
  toV2Job,
  type Absent,
  type EncodedJobResult,
} from '@ajs/wire-mapping';

/** What is known of a job. */
export type Known = (
  | { readonly job: Job }
  | { readonly encodedJob: Uint8Array }
  | { readonly absent: Absent; readonly reason: string }
) & {
  readonly freshness: Freshness | undefined;
};

export function present(
  jobId: JobId,
  key: JobSetKey,
  { record, enrichment }: DetailedJob,
  view: JobSetDetails,
): Known & { readonly job: Job } {
  return { job: toV2Job(jobId, key, record, enrichment), freshness: freshnessOf(view) };
}

/** One that is kept ended, as its job set stands now. */
export function presentEnded(encodedJob: Uint8Array, view: JobSetDetails): Known {
  return { encodedJob, freshness: freshnessOf(view) };
}

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
const shown = new WeakMap<JobSetDetails, Freshness>();

function freshnessOf(view: JobSetDetails): Freshness | undefined {
  const { subscription, cursor } = view;
  if (subscription === undefined) return undefined;
  const freshness = shown.get(view) ?? toFreshness(subscription, cursor);
  shown.set(view, freshness);
  return freshness;
}

export function toResult(ref: JobRef, known: Known): JobResult {
  const { freshness } = known;
  if ('job' in known) return toJobResult(ref, known.job, freshness);
  if ('encodedJob' in known) return toJobResult(ref, Job.decode(known.encodedJob), freshness);
  return toAbsentResult(ref, known.absent, known.reason, freshness);
}

export function toEncodedResult(ref: JobRef, known: Known): JobResult | EncodedJobResult {
  const { freshness } = known;
  if ('encodedJob' in known) return { ref, encodedJob: known.encodedJob, freshness };
  if ('job' in known) return { ref, encodedJob: Job.encode(known.job).finish(), freshness };
  return toResult(ref, known);
}
