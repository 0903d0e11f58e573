import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { LONGEST_REASON } from '@ajs/wire-mapping';
import type { DetailedJob } from '@ajs/job-store';
import type { JobRights } from '../../access/job-rights.js';
import type { EnrichmentRecorder, FetchedEnrichment } from '../cache/enrichment-recorder.js';
import { notSettled } from '../upstream/upstream-errors.js';
import type { CachedJobs } from '../cache/cached-jobs.js';
import type { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';

/** A longer text is answered, but asked for again by the next call. */
const LONGEST_KEPT = 65_536;

export interface JobErrorsQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
  readonly armada: Pick<ArmadaJobs, 'errors'>;
  readonly enrichment: EnrichmentRecorder;
}

/**
 * Why jobs failed, in Armada's words: the error of the job, else that of its latest run. The stream tells the same text for
 * most; where it may not, Armada is asked once and its answer kept.
 */
export class JobErrorsQuery {
  constructor(private readonly options: JobErrorsQueryOptions) {}

  /**
   * A text for every job that exists, '' where there is nothing to tell. Rejects with UNAVAILABLE for what nobody settles, and
   * with PERMISSION_DENIED for jobs that are not for this caller.
   */
  async run(jobIds: readonly string[], rights: JobRights): Promise<Map<string, string>> {
    const { cachedJobs: known, armada, enrichment: facts } = this.options;
    const jobs = await known.details(jobIds, rights);
    const errors = new Map<string, string>();
    const asked: string[] = [];
    const unknown: string[] = [];
    for (const jobId of jobIds) {
      const job = jobs.get(jobId)?.job;
      if (job === undefined) unknown.push(jobId);
      else {
        errors.set(jobId, errorOf(job));
        if (needsArmada(job)) asked.push(jobId);
      }
    }
    asked.push(...(await this.existing(unknown, rights)));
    if (asked.length === 0) return errors;
    try {
      const fetched = await armada.errors(asked);
      const kept: FetchedEnrichment[] = [];
      for (const [jobId, error] of fetched) {
        const job = jobs.get(jobId);
        // Armada's own database may be behind the stream, and not have the error yet.
        if (job !== undefined && error === '' && errorOf(job.job) !== '') continue;
        errors.set(jobId, error);
        if (job !== undefined && error.length <= LONGEST_KEPT) kept.push([job.key, [jobId, { error }]]);
      }
      facts.keep(kept);
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (unknown.length > 0) throw notSettled('some of these jobs are not known here', error);
    }
    return errors;
  }

  /** Those of the jobs, not known here, that Armada is to be asked about: its errors do not tell a job's queue. */
  private async existing(jobIds: readonly string[], rights: JobRights): Promise<Iterable<string>> {
    if (!rights.isRestricted || jobIds.length === 0) return jobIds;
    return (await this.options.resolver.resolve(jobIds, rights)).keys();
  }
}

/** What the stream, or Armada before, told. */
function errorOf({ record, enrichment: facts }: DetailedJob): string {
  if (facts.error !== undefined) return facts.error;
  switch (record.state) {
    case 'FAILED':
    case 'REJECTED':
    case 'PREEMPTED':
      return record.failure?.reason ?? '';
    case 'QUEUED':
    case 'CANCELLED':
      // The latest run failed, and no other has begun.
      return record.run?.outcome === 'failed' ? (record.failure?.reason ?? '') : '';
    default:
      return '';
  }
}

function needsArmada({ record, enrichment: facts }: DetailedJob): boolean {
  if (facts.error !== undefined) return false;
  const { failure } = record;
  switch (record.state) {
    case 'REJECTED':
    case 'PREEMPTED':
      return failure === undefined || wasCut(failure.reason);
    case 'FAILED':
      // The scheduler's word on a job that it gives up names no container; Armada then tells what the latest run said.
      return failure?.exitCodes === undefined || wasCut(failure.reason);
    default:
      return false;
  }
}

function wasCut(reason: string): boolean {
  return reason.length >= LONGEST_REASON;
}
