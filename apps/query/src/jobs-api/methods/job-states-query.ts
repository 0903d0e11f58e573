import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { JobState } from '@ajs/contracts/api/submit';
import { fromApiJobState, toApiJobState } from '@ajs/wire-mapping';
import type { JobRights } from '../../access/job-rights.js';
import { canServeFromCache } from '../cache/can-serve-from-cache.js';
import type { CachedJob, CachedJobs } from '../cache/cached-jobs.js';
import type { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import { RecentAnswers } from '../upstream/recent-answers.js';
import type { ReportedState, TerminalStateRecorder } from '../cache/terminal-state-recorder.js';

/** What Armada has just said of a job whose job set is not followed is good for so long. Milliseconds. */
const KEEP_MS = 1_000;

export interface JobStatesQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
  readonly armada: Pick<ArmadaJobs, 'status'>;
  readonly terminalStates: TerminalStateRecorder;
  /** How long the stream may take to show a job that was learned. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/**
 * The states of jobs: from the cache while it is level with Armada, else from Armada with the cache as the fallback. UNKNOWN is
 * said only where Armada has just said that there is no such job: on it an operator may cancel a healthy job.
 */
export class JobStatesQuery {
  private readonly recent = new RecentAnswers<JobState>(KEEP_MS);

  constructor(private readonly options: JobStatesQueryOptions) {}

  /**
   * A state for every job asked about. Rejects with UNAVAILABLE if one is neither in the cache nor settled by Armada, and with
   * PERMISSION_DENIED if one is not for this caller.
   */
  async run(jobIds: readonly string[], rights: JobRights): Promise<Map<string, JobState>> {
    const { cachedJobs: known, resolver: lookUps, provisionalGraceMs: learnedGraceMs } = this.options;
    const states = new Map<string, JobState>();
    const unknown: string[] = [];
    const behind = new Map<string, CachedJob>();
    const jobs = await known.states(jobIds, rights);
    for (const jobId of jobIds) {
      const job = jobs.get(jobId);
      if (job === undefined) unknown.push(jobId);
      else {
        states.set(jobId, toApiJobState(job.status));
        if (!canServeFromCache(job.status, job.moment, learnedGraceMs)) behind.set(jobId, job);
      }
    }
    const [settled, newer] = await Promise.all([lookUps.resolve(unknown, rights), this.newerThan(behind)]);
    for (const jobId of unknown) states.set(jobId, settled.get(jobId)?.state ?? JobState.UNKNOWN);
    for (const [jobId, state] of newer) states.set(jobId, state);
    return states;
  }

  /** What Armada says of jobs of which the cache may be behind; nothing where it does not say. */
  private async newerThan(behind: ReadonlyMap<string, CachedJob>): Promise<Map<string, JobState>> {
    const newer = new Map<string, JobState>();
    const asked: string[] = [];
    for (const jobId of behind.keys()) {
      const recent = this.recent.get(jobId);
      if (recent === undefined) asked.push(jobId);
      else newer.set(jobId, recent);
    }
    if (asked.length > 0) {
      try {
        const told: ReportedState[] = [];
        for (const [jobId, state] of await this.options.armada.status(asked)) {
          const job = behind.get(jobId);
          if (job !== undefined) told.push([jobId, job, state]);
          newer.set(jobId, state);
        }
        await this.options.terminalStates.keep(told);
        for (const [jobId, , state] of told) this.recent.set(jobId, state);
      } catch (error) {
        // The last known state is the better answer (P5).
        if (!(error instanceof ArmadaJobsError)) throw error;
      }
    }
    for (const [jobId, state] of newer) {
      // Whoever was seen in a stream exists. One that was only learned, and that no stream has shown since, may not.
      if (fromApiJobState(state) === undefined && !behind.get(jobId)?.status.provisional) newer.delete(jobId);
    }
    return newer;
  }
}
