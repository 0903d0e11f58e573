import type { JobRef, JobResult } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { Freshness } from '@ajs/contracts/jobservice/v2/job_status_service';
import { Cursor, isTerminal, type JobSetKey, type JobState } from '@ajs/job-state';
import type { ChangedJob, JobSetMoment } from '@ajs/job-store';
import { fromV2JobState, toFreshness, toJobRef, toJobResult, toV2Job } from '@ajs/wire-mapping';

/** A job as its feed reported it. It can be read. */
export function jobResultOf(
  ref: JobRef | undefined,
  key: JobSetKey,
  { jobId, job }: ChangedJob,
  moment: JobSetMoment | undefined,
): JobResult {
  if (job === undefined) throw new Error('a job that cannot be read has no result');
  const shown = toV2Job(jobId, key, job.record, job.enrichment);
  return toJobResult(ref ?? toJobRef(jobId, key), shown, freshnessOf(moment));
}

/** How fresh a job set was when it was last looked at; `undefined` where it has no keys. */
export function freshnessOf(moment: JobSetMoment | undefined): Freshness | undefined {
  const { subscription, cursor } = moment ?? {};
  return subscription && toFreshness(subscription, cursor ?? Cursor(''));
}

/** The state of the job; `undefined` where there is none to show. */
export function stateOf({ result }: JobResult): JobState | undefined {
  return result?.$case === 'job' ? fromV2JobState(result.value.state) : undefined;
}

export function hasEnded(result: JobResult): boolean {
  const state = stateOf(result);
  return state !== undefined && isTerminal(state);
}

/** The job set that a job is in, or may come to be in; `undefined` where only its id is known. */
export function keyOf({ ref, result }: JobResult): JobSetKey | undefined {
  const known: JobRef | undefined = result?.$case === 'job' ? result.value.ref : ref;
  if (known === undefined || known.queue === '') return undefined;
  return { queue: known.queue, jobSetId: known.jobSet };
}
