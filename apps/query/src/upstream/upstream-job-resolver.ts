import { JobId } from '@ajs/job-state';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import { requirePermission, type JobPermissions } from '../access/job-permissions.js';
import { RecentAnswers } from './recent-answers.js';
import { requireAnswers, unresolvedError } from './upstream-errors.js';

/** How long Armada's answer on a job is reused, also the one that there is no such job. Milliseconds. */
const KEEP_MS = 1_000;

const NONE: ReadonlyMap<JobId, string> = new Map();

export interface UpstreamJobResolverOptions {
  readonly armada: Pick<ArmadaJobs, 'details'>;
  /** Takes each resolved job once, as soon as a caller who may see it has asked for it. */
  readonly record: (jobs: readonly JobDetails[]) => void;
}

interface ResolvedJob {
  readonly details: JobDetails;
  isRecorded: boolean;
}

/** Resolves jobs that are not cached: Armada is asked, as this service, whether they exist and in which job set. */
export class UpstreamJobResolver {
  private readonly recent = new RecentAnswers<ResolvedJob | 'absent'>(KEEP_MS);

  constructor(private readonly options: UpstreamJobResolverOptions) {}

  /**
   * The jobs that exist; of those left out Armada has just said that they do not. Rejects with UNAVAILABLE if it cannot say, and
   * with PERMISSION_DENIED where the caller may not see one of them.
   *
   * @param unreadable why the records of some of the jobs cannot be read: these keep their records, and are never left out
   */
  async resolve(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    unreadable: ReadonlyMap<JobId, string> = NONE,
  ): Promise<Map<JobId, JobDetails>> {
    const resolved = await this.find(jobIds, unreadable);
    await requirePermission(permissions, resolved, ({ details }) => details.queue);
    requireAnswers(unreadable, resolved);
    const unrecorded = [...resolved.values()].filter(
      ({ details: { jobId }, isRecorded }) => !isRecorded && !unreadable.has(JobId(jobId)),
    );
    for (const job of unrecorded) job.isRecorded = true;
    this.options.record(unrecorded.map(({ details }) => details));
    return new Map(Array.from(resolved, ([jobId, { details }]) => [jobId, details]));
  }

  /** The queues of jobs, for permission checks alone: nothing is recorded, and no job set followed. */
  async queuesOf(jobIds: readonly JobId[]): Promise<Map<JobId, string>> {
    const resolved = await this.find(jobIds, NONE);
    return new Map(Array.from(resolved, ([jobId, { details }]) => [jobId, details.queue]));
  }

  private async find(
    jobIds: readonly JobId[],
    unreadable: ReadonlyMap<JobId, string>,
  ): Promise<Map<JobId, ResolvedJob>> {
    const resolved = new Map<JobId, ResolvedJob>();
    const requested: JobId[] = [];
    for (const jobId of jobIds) {
      const recent = this.recent.get(jobId);
      if (recent === undefined) requested.push(jobId);
      else if (recent !== 'absent') resolved.set(jobId, recent);
    }
    if (requested.length === 0) return resolved;
    const answered = await this.request(requested, unreadable);
    for (const jobId of requested) {
      const details = answered.get(jobId);
      const result = details === undefined ? 'absent' : { details, isRecorded: false };
      this.recent.set(jobId, result);
      if (result !== 'absent') resolved.set(jobId, result);
    }
    return resolved;
  }

  private async request(
    jobIds: readonly JobId[],
    unreadable: ReadonlyMap<JobId, string>,
  ): Promise<ReadonlyMap<JobId, JobDetails>> {
    try {
      return await this.options.armada.details(jobIds, { spec: false, runs: false });
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      throw unresolvedError(jobIds, unreadable, error);
    }
  }
}
