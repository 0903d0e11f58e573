import type { JobId } from '@ajs/job-state';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { DetailedJob } from '@ajs/job-store';
import { LONGEST_REASON } from '@ajs/wire-mapping';
import type { JobPermissions } from '../../access/job-permissions.js';
import type { CachedJobs } from '../cache/cached-jobs.js';
import type { EnrichmentRecorder, FetchedEnrichment } from '../cache/enrichment-recorder.js';
import { requireAnswers, unresolvedError } from '../../upstream/upstream-errors.js';
import type { UpstreamJobResolver } from '../../upstream/upstream-job-resolver.js';

/** A longer text is answered but not stored: the next call fetches it again. */
const MAX_STORED_LENGTH = 65_536;

export interface JobErrorsQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
  readonly enrichment: EnrichmentRecorder;
}

/**
 * Why jobs failed, as Armada words it: the error of the job, else that of its latest run. The stream brings the same text for
 * most; where it may not, it is fetched from Armada once and stored.
 */
export class JobErrorsQuery {
  constructor(private readonly options: JobErrorsQueryOptions) {}

  /**
   * A text for every job that exists, '' where it has no error. Rejects with UNAVAILABLE for jobs that are neither cached nor resolved
   * by Armada, and with PERMISSION_DENIED for those that the caller may not see.
   */
  async run(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: ArmadaJobs,
  ): Promise<Map<JobId, string>> {
    const { cachedJobs, enrichment } = this.options;
    const { jobs, unreadable } = await cachedJobs.details(jobIds, permissions);
    const errors = new Map<JobId, string>();
    const requested: JobId[] = [];
    const uncached: JobId[] = [];
    for (const jobId of jobIds) {
      const job = jobs.get(jobId)?.job;
      if (job === undefined) uncached.push(jobId);
      else {
        errors.set(jobId, errorOf(job));
        // It has ended, so it is in this job set by Armada's own word: permission was checked for the right queue.
        if (needsArmada(job)) requested.push(jobId);
      }
    }
    requested.push(...(await this.permitted(uncached, permissions, armada, unreadable)));
    if (requested.length === 0) return errors;
    try {
      const fetched = await armada.errors(requested);
      const toStore: FetchedEnrichment[] = [];
      for (const [jobId, error] of fetched) {
        const job = jobs.get(jobId);
        // Armada's own database may be behind the stream, and not have the error yet.
        if (job !== undefined && error === '' && errorOf(job.job) !== '') continue;
        errors.set(jobId, error);
        if (job !== undefined && error.length <= MAX_STORED_LENGTH)
          toStore.push([job.key, [jobId, { error }]]);
      }
      enrichment.record(toStore);
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (uncached.length > 0) throw unresolvedError(uncached, unreadable, error);
    }
    requireAnswers(unreadable, errors);
    return errors;
  }

  /** Those of the jobs, none of them cached, that exist and that the caller may see: Armada's errors do not name a job's queue. */
  private async permitted(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: ArmadaJobs,
    unreadable: ReadonlyMap<JobId, string>,
  ): Promise<Iterable<JobId>> {
    if (!permissions.isRestricted || jobIds.length === 0) return jobIds;
    return (await this.options.resolver.resolve(jobIds, permissions, armada, unreadable)).keys();
  }
}

/** The text in the cache: fetched from Armada before, else as the stream brought it, which may come later. */
function errorOf({ record, enrichment }: DetailedJob): string {
  if (enrichment.error !== undefined && enrichment.error !== '') return enrichment.error;
  switch (record.state) {
    case 'FAILED':
    case 'REJECTED':
    case 'PREEMPTED':
      return record.failure?.reason ?? '';
    case 'QUEUED':
    case 'CANCELLED':
      // The latest run failed, and no other has begun.
      return record.run?.outcome === 'failed' ? (record.failure?.reason ?? '') : '';
    case 'SUBMITTED':
    case 'LEASED':
    case 'PENDING':
    case 'RUNNING':
    case 'SUCCEEDED':
    case 'DUPLICATE_FOUND':
      return '';
  }
}

function needsArmada({ record, enrichment }: DetailedJob): boolean {
  if (enrichment.error !== undefined) return false;
  const { failure } = record;
  switch (record.state) {
    case 'REJECTED':
    case 'PREEMPTED':
      return failure === undefined || isTruncated(failure.reason);
    case 'FAILED':
      // The scheduler's summary of a job that it gives up names no container; Armada then has the error of the latest run.
      return failure?.exitCodes === undefined || isTruncated(failure.reason);
    case 'SUBMITTED':
    case 'QUEUED':
    case 'LEASED':
    case 'PENDING':
    case 'RUNNING':
    case 'SUCCEEDED':
    case 'CANCELLED':
    case 'DUPLICATE_FOUND':
      return false;
  }
}

function isTruncated(reason: string): boolean {
  return reason.length >= LONGEST_REASON;
}
