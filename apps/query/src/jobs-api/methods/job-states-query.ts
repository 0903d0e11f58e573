import type { ArmadaJobs } from '@ajs/armada-client';
import type { JobId, JobSetKey } from '@ajs/job-state';
import { JobState } from '@ajs/contracts/api/submit';
import { toApiJobState } from '@ajs/wire-mapping';
import type { JobPermissions } from '../../access/job-permissions.js';
import type { CachedJobs, CachedStates } from '../cache/cached-jobs.js';
import type { UpstreamJobResolver } from '../../upstream/upstream-job-resolver.js';

export interface JobStatesQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
}

/**
 * The states of jobs: from the cache while it is synced with Armada, else from Armada with the cache as the fallback. UNKNOWN is
 * answered only where Armada has just said that there is no such job: on it an operator may cancel a healthy job.
 */
export class JobStatesQuery {
  constructor(private readonly options: JobStatesQueryOptions) {}

  /**
   * The state of each job, at the place of its id, which may come several times. Rejects with UNAVAILABLE if one is neither cached nor resolved by Armada, and with
   * PERMISSION_DENIED if the caller may not see one.
   */
  async run(jobIds: readonly JobId[], permissions: JobPermissions, armada: ArmadaJobs): Promise<JobState[]> {
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
  ): Promise<JobState[]> {
    const cached = await this.options.cachedJobs.statesIn(key, jobIds);
    return this.complete(jobIds, cached, permissions, armada);
  }

  private async complete(
    jobIds: readonly JobId[],
    { jobs, unreadable }: CachedStates,
    permissions: JobPermissions,
    armada: ArmadaJobs,
  ): Promise<JobState[]> {
    const uncached = new Set<JobId>();
    const behind = new Set<JobId>();
    let place = 0;
    for (const jobId of jobIds) {
      const job = jobs[place++];
      if (job === undefined) uncached.add(jobId);
      else if (!job.isWhole) behind.add(jobId);
    }
    const { resolver } = this.options;
    const [resolved, refreshed] = await Promise.all([
      resolver.resolve([...uncached], permissions, armada, unreadable),
      resolver.refresh([...behind], permissions, armada),
    ]);
    return jobIds.map((jobId, i) => {
      const job = jobs[i];
      if (job === undefined) return resolved.get(jobId) ?? JobState.UNKNOWN;
      const status = refreshed.get(jobId);
      if (status === undefined) return job.state;
      if (status !== 'absent') return toApiJobState(status);
      // A job that a stream has shown exists, whatever Armada's database says; a provisional one may not.
      return job.isProvisional ? JobState.UNKNOWN : job.state;
    });
  }
}
