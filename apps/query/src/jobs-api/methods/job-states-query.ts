import type { ArmadaJobs } from '@ajs/armada-client';
import type { JobId, JobSetKey } from '@ajs/job-state';
import { JobState } from '@ajs/contracts/api/submit';
import { toApiJobState } from '@ajs/wire-mapping';
import type { JobPermissions } from '../../access/job-permissions.js';
import { canServeFromCache } from '../../store/can-serve-from-cache.js';
import type { CachedJob, CachedJobSelection, CachedJobs } from '../cache/cached-jobs.js';
import type { UpstreamJobResolver } from '../../upstream/upstream-job-resolver.js';

export interface JobStatesQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
  /** How long the stream may take to show a provisional job. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/**
 * The states of jobs: from the cache while it is synced with Armada, else from Armada with the cache as the fallback. UNKNOWN is
 * answered only where Armada has just said that there is no such job: on it an operator may cancel a healthy job.
 */
export class JobStatesQuery {
  constructor(private readonly options: JobStatesQueryOptions) {}

  /**
   * A state for every requested job. Rejects with UNAVAILABLE if one is neither cached nor resolved by Armada, and with
   * PERMISSION_DENIED if the caller may not see one.
   */
  async run(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: ArmadaJobs,
  ): Promise<Map<JobId, JobState>> {
    const cached = await this.options.cachedJobs.states(jobIds, permissions);
    return this.complete(jobIds, cached, permissions, armada);
  }

  /**
   * As {@link run}, of jobs that are known to be in this job set, which the caller has polled and may see. A job that Armada is asked for is
   * judged by the queue that Armada names all the same.
   */
  async runIn(
    key: JobSetKey,
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: ArmadaJobs,
  ): Promise<Map<JobId, JobState>> {
    const cached = await this.options.cachedJobs.statesIn(key, jobIds);
    return this.complete(jobIds, cached, permissions, armada);
  }

  private async complete(
    jobIds: readonly JobId[],
    { jobs, unreadable }: CachedJobSelection<CachedJob>,
    permissions: JobPermissions,
    armada: ArmadaJobs,
  ): Promise<Map<JobId, JobState>> {
    const { resolver, provisionalGraceMs } = this.options;
    const states = new Map<JobId, JobState>();
    const uncached: JobId[] = [];
    const behind = new Map<JobId, CachedJob>();
    for (const jobId of jobIds) {
      const job = jobs.get(jobId);
      if (job === undefined) uncached.push(jobId);
      else {
        states.set(jobId, toApiJobState(job.status));
        if (!canServeFromCache(job.status, job.moment, provisionalGraceMs)) behind.set(jobId, job);
      }
    }
    const [resolved, refreshed] = await Promise.all([
      resolver.resolve(uncached, permissions, armada, unreadable),
      resolver.refresh([...behind.keys()], permissions, armada),
    ]);
    for (const jobId of uncached) states.set(jobId, resolved.get(jobId) ?? JobState.UNKNOWN);
    for (const [jobId, status] of refreshed) {
      if (status !== 'absent') states.set(jobId, toApiJobState(status));
      // A job that a stream has shown exists, whatever Armada's database says; a provisional one may not.
      else if (behind.get(jobId)?.status.provisional) states.set(jobId, JobState.UNKNOWN);
    }
    return states;
  }
}
