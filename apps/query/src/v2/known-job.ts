import type { Freshness, Job } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobId, JobSetKey } from '@ajs/job-state';
import type { DetailedJob, JobSetDetails } from '@ajs/job-store';
import { toFreshness, toV2Job, type Absent } from '@ajs/wire-mapping';

/** What is known of a job. */
export type Known = ({ readonly job: Job } | { readonly absent: Absent; readonly reason: string }) & {
  readonly freshness: Freshness | undefined;
};

export function present(
  jobId: JobId,
  key: JobSetKey,
  { record, enrichment }: DetailedJob,
  view: JobSetDetails,
): Known {
  return { job: toV2Job(jobId, key, record, enrichment), freshness: freshnessOf(view) };
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
