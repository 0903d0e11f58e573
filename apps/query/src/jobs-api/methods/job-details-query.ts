import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import {
  isTerminal,
  msBetween,
  type JobEnrichment,
  type JobId,
  type JobRecord,
  type ReportedRuns,
} from '@ajs/job-state';
import type { DetailedJob } from '@ajs/job-store';
import { toJobDetails, toReportedRuns } from '@ajs/wire-mapping';
import { requirePermission, type JobPermissions } from '../../access/job-permissions.js';
import { canServeFromCache } from '../../store/can-serve-from-cache.js';
import type { CachedDetails, CachedJobs } from '../cache/cached-jobs.js';
import type { EnrichmentRecorder, FetchedEnrichment } from '../cache/enrichment-recorder.js';
import type { ProvisionalJobRecorder } from '../../upstream/provisional-job-recorder.js';
import type { TerminalStateRecorder } from '../cache/terminal-state-recorder.js';
import { RecentAnswers } from '../../upstream/recent-answers.js';
import { requireAnswers, unresolvedError } from '../../upstream/upstream-errors.js';

/** What Armada does not show yet (a run that has just begun) is requested again no sooner. Milliseconds. */
const REQUEST_AGAIN_MS = 3_000;
/** The times that the stream and `api.Jobs` give for one event differ by less than this. Milliseconds. */
const SAME_MOMENT_MS = 1_000;

export interface JobDetailsExpansion {
  readonly spec: boolean;
  readonly runs: boolean;
}

export interface JobDetailsQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly armada: Pick<ArmadaJobs, 'details'>;
  readonly enrichment: EnrichmentRecorder;
  readonly provisionalJobs: ProvisionalJobRecorder;
  readonly terminalStates: TerminalStateRecorder;
  /** How long the stream may take to show a provisional job. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/**
 * The details of jobs: from the cache, enriched by what only Armada has (all runs with their ids and ends, why a job was cancelled, its
 * spec). That is fetched once a run and once more when the run has ended, and the spec whenever it is requested.
 */
export class JobDetailsQuery {
  private readonly requested = new RecentAnswers<true>(REQUEST_AGAIN_MS);

  constructor(private readonly options: JobDetailsQueryOptions) {}

  /**
   * The jobs that exist. Rejects with UNAVAILABLE for jobs that are neither cached nor resolved by Armada, and with PERMISSION_DENIED
   * for those that the caller may not see.
   */
  async run(
    jobIds: readonly JobId[],
    expand: JobDetailsExpansion,
    permissions: JobPermissions,
  ): Promise<Map<JobId, JobDetails>> {
    const { jobs: cached, unreadable } = await this.options.cachedJobs.details(jobIds, permissions);
    const behind = new Set(jobIds.filter((jobId) => this.isBehind(cached.get(jobId))));
    const toFetch = jobIds.filter(
      (jobId) => expand.spec || behind.has(jobId) || this.lacksEnrichment(jobId, cached.get(jobId)?.job),
    );
    const uncached = jobIds.filter((jobId) => !cached.has(jobId));
    const fetched = await this.fetch(toFetch, expand, uncached, unreadable);
    await requirePermission(permissions, fetched, ({ queue }) => queue);
    requireAnswers(unreadable, fetched);
    this.record(cached, unreadable, fetched);
    await this.options.terminalStates.record(
      [...behind].flatMap((jobId) => {
        const [job, reported] = [cached.get(jobId), fetched.get(jobId)];
        return job === undefined || reported === undefined ? [] : [[jobId, job, reported.state] as const];
      }),
    );
    const answers = new Map<JobId, JobDetails>();
    for (const jobId of jobIds) {
      const job = cached.get(jobId);
      const reported = fetched.get(jobId);
      const isReported = job === undefined || (reported !== undefined && behind.has(jobId));
      const answer = isReported ? reported : merge(jobId, job, reported);
      if (answer !== undefined) answers.set(jobId, expand.runs ? answer : { ...answer, jobRuns: [] });
    }
    return answers;
  }

  /** The record of a provisional job has no details but the state. */
  private isBehind(cached: CachedDetails | undefined): boolean {
    if (cached?.job.record.lastEvent === undefined) return true;
    return !canServeFromCache(cached.job.record, cached.moment, this.options.provisionalGraceMs);
  }

  /** Whether enrichment is missing that was not requested a moment ago. */
  private lacksEnrichment(jobId: JobId, job: DetailedJob | undefined): boolean {
    if (job === undefined) return true;
    const { record, enrichment } = job;
    const lacksCancellation = record.state === 'CANCELLED' && enrichment.cancellation === undefined;
    if (!lacksRuns(job) && !lacksCancellation) return false;
    const request = `${jobId} ${record.runNumber} ${record.state}`;
    if (this.requested.get(request)) return false;
    this.requested.set(request, true);
    return true;
  }

  /** Armada's details; none where it does not answer, unless a job is not cached. */
  private async fetch(
    jobIds: readonly JobId[],
    { spec }: JobDetailsExpansion,
    uncached: readonly JobId[],
    unreadable: ReadonlyMap<JobId, string>,
  ): Promise<ReadonlyMap<JobId, JobDetails>> {
    if (jobIds.length === 0) return new Map();
    try {
      return await this.options.armada.details(jobIds, { spec, runs: true });
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (uncached.length > 0) throw unresolvedError(uncached, unreadable, error);
      return new Map();
    }
  }

  private record(
    cached: ReadonlyMap<JobId, CachedDetails>,
    unreadable: ReadonlyMap<JobId, string>,
    fetched: ReadonlyMap<JobId, JobDetails>,
  ): void {
    const enrichments: FetchedEnrichment[] = [];
    const uncached: JobDetails[] = [];
    for (const [jobId, reported] of fetched) {
      const job = cached.get(jobId);
      if (job !== undefined) {
        const enrichment = enrichmentOf(reported, job.job.record);
        if (Object.keys(enrichment).length > 0) enrichments.push([job.key, [jobId, enrichment]]);
      } else if (!unreadable.has(jobId)) uncached.push(reported);
    }
    this.options.enrichment.record(enrichments);
    this.options.provisionalJobs.record(uncached);
  }
}

function merge(jobId: JobId, { key, job }: CachedDetails, reported: JobDetails | undefined): JobDetails {
  if (reported === undefined) return toJobDetails(jobId, key, job.record, job.enrichment);
  const enrichment = { ...job.enrichment, ...enrichmentOf(reported, job.record) };
  return { ...toJobDetails(jobId, key, job.record, enrichment), jobSpec: reported.jobSpec };
}

/** Whether it lacks its runs, or the end of its latest one. */
function lacksRuns({ record: { run, runNumber }, enrichment: { runs } }: DetailedJob): boolean {
  if (run === undefined) return false;
  return runs?.number !== runNumber || (run.endedAt !== undefined && !runs.isOver);
}

/** The part of Armada's details that no event carries. */
function enrichmentOf(reported: JobDetails, record: JobRecord): JobEnrichment {
  const { cancelReason: reason, cancelUser: user } = reported;
  const runs = toReportedRuns(reported, record.runNumber);
  const isCancelled = record.state === 'CANCELLED' && reported.cancelTs !== undefined;
  return {
    ...(runs !== undefined && isLatest(runs, record) && { runs }),
    ...(isCancelled && { cancellation: { reason, user } }),
  };
}

/** Armada's own database may be behind the stream, and still show the run before. */
function isLatest({ latest }: ReportedRuns, { state, run }: JobRecord): boolean {
  if (run === undefined) return isTerminal(state);
  if (latest.leasedAt === undefined || run.leasedAt === undefined) return true;
  return Math.abs(msBetween(latest.leasedAt, run.leasedAt)) < SAME_MOMENT_MS;
}
