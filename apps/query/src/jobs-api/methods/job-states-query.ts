import type { JobId } from '@ajs/job-state';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { JobState } from '@ajs/contracts/api/submit';
import { fromApiJobState, toApiJobState } from '@ajs/wire-mapping';
import type { JobPermissions } from '../../access/job-permissions.js';
import { canServeFromCache } from '../../store/can-serve-from-cache.js';
import type { CachedJob, CachedJobs } from '../cache/cached-jobs.js';
import type { ReportedState, TerminalStateRecorder } from '../cache/terminal-state-recorder.js';
import { RecentAnswers } from '../../upstream/recent-answers.js';
import type { UpstreamJobResolver } from '../../upstream/upstream-job-resolver.js';

/** How long Armada's answer on a job is reused while its job set is not followed. Milliseconds. */
const KEEP_MS = 1_000;

export interface JobStatesQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
  readonly armada: Pick<ArmadaJobs, 'status'>;
  readonly terminalStates: TerminalStateRecorder;
  /** How long the stream may take to show a provisional job. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/**
 * The states of jobs: from the cache while it is synced with Armada, else from Armada with the cache as the fallback. UNKNOWN is
 * answered only where Armada has just said that there is no such job: on it an operator may cancel a healthy job.
 */
export class JobStatesQuery {
  private readonly recent = new RecentAnswers<JobState>(KEEP_MS);

  constructor(private readonly options: JobStatesQueryOptions) {}

  /**
   * A state for every requested job. Rejects with UNAVAILABLE if one is neither cached nor resolved by Armada, and with
   * PERMISSION_DENIED if the caller may not see one.
   */
  async run(jobIds: readonly JobId[], permissions: JobPermissions): Promise<Map<JobId, JobState>> {
    const { cachedJobs, resolver, provisionalGraceMs } = this.options;
    const states = new Map<JobId, JobState>();
    const uncached: JobId[] = [];
    const behind = new Map<JobId, CachedJob>();
    const { jobs, unreadable } = await cachedJobs.states(jobIds, permissions);
    for (const jobId of jobIds) {
      const job = jobs.get(jobId);
      if (job === undefined) uncached.push(jobId);
      else {
        states.set(jobId, toApiJobState(job.status));
        if (!canServeFromCache(job.status, job.moment, provisionalGraceMs)) behind.set(jobId, job);
      }
    }
    const [resolved, newer] = await Promise.all([
      resolver.resolve(uncached, permissions, unreadable),
      this.newerStates(behind),
    ]);
    for (const jobId of uncached) states.set(jobId, resolved.get(jobId)?.state ?? JobState.UNKNOWN);
    for (const [jobId, state] of newer) states.set(jobId, state);
    return states;
  }

  /** Armada's states of jobs for which the cache may be behind; none for those that Armada does not answer. */
  private async newerStates(behind: ReadonlyMap<JobId, CachedJob>): Promise<Map<JobId, JobState>> {
    const newer = new Map<JobId, JobState>();
    const requested: JobId[] = [];
    for (const jobId of behind.keys()) {
      const recent = this.recent.get(jobId);
      if (recent === undefined) requested.push(jobId);
      else newer.set(jobId, recent);
    }
    if (requested.length > 0) {
      try {
        const reported: ReportedState[] = [];
        for (const [jobId, state] of await this.options.armada.status(requested)) {
          const job = behind.get(jobId);
          if (job !== undefined) reported.push([jobId, job, state]);
          newer.set(jobId, state);
        }
        await this.options.terminalStates.record(reported);
        for (const [jobId, , state] of reported) this.recent.set(jobId, state);
      } catch (error) {
        // The last known state is the better answer (P5).
        if (!(error instanceof ArmadaJobsError)) throw error;
      }
    }
    for (const [jobId, state] of newer) {
      // A job that a stream has shown exists, whatever Armada's database says; a provisional one may not.
      if (fromApiJobState(state) === undefined && !behind.get(jobId)?.status.provisional) newer.delete(jobId);
    }
    return newer;
  }
}
