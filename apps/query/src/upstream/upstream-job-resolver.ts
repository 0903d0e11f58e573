import { ArmadaJobsError, fetchJobReports, type ArmadaJobs, type ReportedJob } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import type { JobState } from '@ajs/contracts/api/submit';
import type { JobId } from '@ajs/job-state';
import type { JobStatus } from '@ajs/job-store';
import { toApiJobState } from '@ajs/wire-mapping';
import { requirePermission, type JobPermissions } from '../access/job-permissions.js';
import { RecentAnswers } from './recent-answers.js';
import type { ReportRecorder } from './report-recorder.js';
import { requireAnswers, unresolvedError } from './upstream-errors.js';

/** Armada's own `api.Jobs`, asked on behalf of the caller. */
type Armada = Pick<ArmadaJobs, 'details' | 'errors'>;

/** How long Armada's answer on a job is reused, also the one that there is no such job. Milliseconds. */
const KEEP_MS = 1_000;

const NONE: ReadonlyMap<JobId, string> = new Map();

export interface UpstreamJobResolverOptions {
  readonly recorder: ReportRecorder;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** Asks Armada's own `api.Jobs`, as this service, where the cache is not enough. What it reports is recorded before it is answered (P1). */
export class UpstreamJobResolver {
  private readonly recent: RecentAnswers<ReportedJob | 'absent'>;

  constructor(private readonly options: UpstreamJobResolverOptions) {
    this.recent = new RecentAnswers(KEEP_MS, options.now);
  }

  /**
   * The states of those of the jobs, none of them cached, that exist; of those left out Armada has just said that they do not. Rejects
   * with UNAVAILABLE if it cannot say, and with PERMISSION_DENIED where the caller may not see one of them.
   *
   * @param unreadable why the records of some of the jobs cannot be read: these keep their records, and are never left out
   */
  async resolve(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: Armada,
    unreadable: ReadonlyMap<JobId, string> = NONE,
  ): Promise<Map<JobId, JobState>> {
    const { recorder } = this.options;
    const reported = await this.find(jobIds, armada).catch((error: unknown) => {
      throw error instanceof ArmadaJobsError ? unresolvedError(jobIds, unreadable, error) : error;
    });
    await requirePermission(permissions, reported, ({ details }) => details.queue);
    requireAnswers(unreadable, reported);
    const held = await recorder.record(reported.values());
    recorder.toldUnrecorded(without(reported, held).values());
    return new Map(
      Array.from(reported, ([jobId, { details }]) => {
        const status = held.get(jobId);
        return [jobId, status === undefined ? details.state : toApiJobState(status)];
      }),
    );
  }

  /**
   * What Redis holds of cached jobs that their streams may be behind with, once Armada was asked of them; 'absent' where Armada has just
   * said that there is no such job. Left out are jobs of which the caller has all that there is: Armada does not answer, was asked a
   * moment ago, or its report cannot be recorded. Rejects with PERMISSION_DENIED where the caller may not see the queue that Armada names,
   * whatever the cache says of it.
   */
  async refresh(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: Armada,
  ): Promise<Map<JobId, JobStatus | 'absent'>> {
    const refreshed = new Map<JobId, JobStatus | 'absent'>();
    const toAsk = jobIds.filter((jobId) => this.recent.get(jobId) === undefined);
    try {
      const reported = await this.find(jobIds, armada);
      await requirePermission(permissions, reported, ({ details }) => details.queue);
      for (const jobId of jobIds) if (!reported.has(jobId)) refreshed.set(jobId, 'absent');
      const asked = toAsk.flatMap((jobId) => reported.get(jobId) ?? []);
      for (const [jobId, status] of await this.options.recorder.record(asked)) refreshed.set(jobId, status);
    } catch (error) {
      // The last known state is the better answer (P5).
      if (!(error instanceof ArmadaJobsError)) throw error;
    }
    return refreshed;
  }

  /**
   * What Armada reports of those of the jobs that exist, while Redis cannot be read. It counts as answered. Rejects with {@link ArmadaJobsError}, and
   * with PERMISSION_DENIED where the caller may not see one of them.
   */
  async withoutRedis(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: Armada,
    { spec }: { readonly spec: boolean } = { spec: false },
  ): Promise<Map<JobId, JobDetails>> {
    const reported = await (spec ? fetchJobReports(armada, jobIds, { spec }) : this.find(jobIds, armada));
    await requirePermission(permissions, reported, ({ details }) => details.queue);
    this.options.recorder.toldUnrecorded(reported.values());
    return new Map(Array.from(reported, ([jobId, { details }]) => [jobId, details]));
  }

  /**
   * Armada's word on jobs, for callers whose permission is checked elsewhere: nothing is recorded. Left out are those that Armada does not
   * have. Rejects with {@link ArmadaJobsError}.
   */
  reportsOf(jobIds: readonly JobId[], armada: Armada): Promise<ReadonlyMap<JobId, ReportedJob>> {
    return this.find(jobIds, armada);
  }

  /**
   * The queues of those of the jobs that exist, for permission checks alone: nothing is recorded, and no job set followed. Rejects
   * with UNAVAILABLE.
   */
  async queuesOf(jobIds: readonly JobId[], armada: Armada): Promise<Map<JobId, string>> {
    const reported = await this.find(jobIds, armada).catch((error: unknown) => {
      throw error instanceof ArmadaJobsError ? unresolvedError(jobIds, NONE, error) : error;
    });
    return new Map(Array.from(reported, ([jobId, { details }]) => [jobId, details.queue]));
  }

  private async find(jobIds: readonly JobId[], armada: Armada): Promise<Map<JobId, ReportedJob>> {
    const reported = new Map<JobId, ReportedJob>();
    const requested: JobId[] = [];
    for (const jobId of jobIds) {
      const recent = this.recent.get(jobId);
      if (recent === undefined) requested.push(jobId);
      else if (recent !== 'absent') reported.set(jobId, recent);
    }
    if (requested.length === 0) return reported;
    const answered = await fetchJobReports(armada, requested);
    for (const jobId of requested) {
      const job = answered.get(jobId);
      this.recent.set(jobId, job ?? 'absent');
      if (job !== undefined) reported.set(jobId, job);
    }
    return reported;
  }
}

function without<V>(all: ReadonlyMap<JobId, V>, known: ReadonlyMap<JobId, unknown>): Map<JobId, V> {
  return new Map(Array.from(all).filter(([jobId]) => !known.has(jobId)));
}
