import { ArmadaJobsError, fetchJobReports, type ArmadaJobs, type ReportedJob } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import {
  isTerminal,
  msBetween,
  JobId,
  type JobEnrichment,
  type JobRecord,
  type ReportedRuns,
} from '@ajs/job-state';
import type { DetailedJob, JobStatus } from '@ajs/job-store';
import { toApiJobState, toJobDetails, toReportedRuns, toTimestamp } from '@ajs/wire-mapping';
import { requirePermission, type JobPermissions } from '../../access/job-permissions.js';
import { canServeFromCache } from '../../store/can-serve-from-cache.js';
import type { CachedDetails, CachedJobs } from '../cache/cached-jobs.js';
import type { EnrichmentRecorder, FetchedEnrichment } from '../cache/enrichment-recorder.js';
import type { ReportRecorder } from '../../upstream/report-recorder.js';
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
  readonly enrichment: EnrichmentRecorder;
  readonly recorder: ReportRecorder;
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
    armada: ArmadaJobs,
  ): Promise<Map<JobId, JobDetails>> {
    const { jobs: cached, unreadable } = await this.options.cachedJobs.details(jobIds, permissions);
    const behind = new Set(jobIds.filter((jobId) => this.isBehind(cached.get(jobId))));
    const toFetch = jobIds.filter(
      (jobId) => expand.spec || behind.has(jobId) || this.lacksEnrichment(jobId, cached.get(jobId)?.job),
    );
    const uncached = jobIds.filter((jobId) => !cached.has(jobId));
    const fetched = await this.fetch(toFetch, expand, armada, uncached, unreadable);
    await requirePermission(permissions, fetched, ({ details }) => details.queue);
    requireAnswers(unreadable, fetched);
    const held = await this.record(behind, cached, fetched);
    this.enrich(cached, fetched, held);
    const answers = new Map<JobId, JobDetails>();
    for (const jobId of jobIds) {
      const reported = fetched.get(jobId)?.details;
      const answer = answerOf(jobId, cached.get(jobId), reported, held.get(jobId));
      if (answer !== undefined) answers.set(jobId, expand.runs ? answer : { ...answer, jobRuns: [] });
    }
    return answers;
  }

  /** A provisional record that has not ended has no details but the state; the others of one that has are looked up once. */
  private isBehind(cached: CachedDetails | undefined): boolean {
    if (cached === undefined) return true;
    const { record, enrichment } = cached.job;
    const hasDetails =
      record.lastEvent !== undefined || (isTerminal(record.state) && enrichment.namespace !== undefined);
    return !hasDetails || !canServeFromCache(record, cached.moment, this.options.provisionalGraceMs);
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

  /** Armada's reports; none where it does not answer, unless a job is not cached. */
  private async fetch(
    jobIds: readonly JobId[],
    expand: JobDetailsExpansion,
    armada: ArmadaJobs,
    uncached: readonly JobId[],
    unreadable: ReadonlyMap<JobId, string>,
  ): Promise<ReadonlyMap<JobId, ReportedJob>> {
    if (jobIds.length === 0) return new Map();
    try {
      return await fetchJobReports(armada, jobIds, expand);
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (uncached.length > 0) throw unresolvedError(uncached, unreadable, error);
      return new Map();
    }
  }

  private enrich(
    cached: ReadonlyMap<JobId, CachedDetails>,
    fetched: ReadonlyMap<JobId, ReportedJob>,
    held: ReadonlyMap<JobId, JobStatus>,
  ): void {
    const enrichments: FetchedEnrichment[] = [];
    for (const [jobId, { details }] of fetched) {
      const record = recordOf(cached.get(jobId)?.job.record, held.get(jobId));
      const enrichment = record && enrichmentOf(details, record);
      if (enrichment === undefined || Object.keys(enrichment).length === 0) continue;
      enrichments.push([{ queue: details.queue, jobSetId: details.jobset }, [jobId, enrichment]]);
    }
    this.options.enrichment.record(enrichments);
  }

  /** What Redis holds of the jobs that the cache is behind with, once their reports are recorded (P1). */
  private async record(
    behind: ReadonlySet<JobId>,
    cached: ReadonlyMap<JobId, CachedDetails>,
    fetched: ReadonlyMap<JobId, ReportedJob>,
  ): Promise<ReadonlyMap<JobId, JobStatus>> {
    const { recorder } = this.options;
    const reported = Array.from(behind).flatMap((jobId) => fetched.get(jobId) ?? []);
    const held = await recorder.record(reported);
    recorder.toldUnrecorded(
      reported.filter(({ details }) => {
        const jobId = JobId(details.jobId);
        return !held.has(jobId) && !cached.has(jobId);
      }),
    );
    return held;
  }
}

/**
 * Armada's word in full, where that is the state which Redis holds; else what is cached, in the state that Redis holds.
 *
 * @param held left out where the cache is not behind, or the report could not be recorded
 */
function answerOf(
  jobId: JobId,
  cached: CachedDetails | undefined,
  reported: JobDetails | undefined,
  held: JobStatus | undefined,
): JobDetails | undefined {
  const state = held && toApiJobState(held);
  if (reported !== undefined && reported.state === state) return reported;
  const answer = cached === undefined ? reported : merge(jobId, cached, reported);
  if (answer === undefined || held === undefined || state === undefined) return answer;
  return { ...answer, state, lastTransitionTs: toTimestamp(held.changedAt) };
}

function merge(jobId: JobId, { key, job }: CachedDetails, reported: JobDetails | undefined): JobDetails {
  if (reported === undefined) return toJobDetails(jobId, key, job.record, job.enrichment);
  const enrichment = { ...job.enrichment, ...enrichmentOf(reported, job.record) };
  return { ...toJobDetails(jobId, key, job.record, enrichment), jobSpec: reported.jobSpec };
}

/** The record that Redis holds now, as far as enrichment depends on it. */
function recordOf(record: JobRecord | undefined, held: JobStatus | undefined): JobRecord | undefined {
  if (held === undefined) return record;
  const { state, changedAt, reported } = held;
  return { ...(record ?? { runNumber: 0 }), state, changedAt, ...(reported && { reported: {} }) };
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
  const isUnseen = record.lastEvent === undefined && isTerminal(record.state);
  return {
    ...(isUnseen && { namespace: reported.namespace }),
    ...(runs !== undefined && isLatest(runs, record) && { runs }),
    ...(isCancelled && { cancellation: { reason, user } }),
  };
}

/** Armada's own database may be behind the stream, and still show the run before. */
function isLatest({ latest }: ReportedRuns, { state, run, reported }: JobRecord): boolean {
  if (run === undefined || reported !== undefined) return isTerminal(state);
  if (latest.leasedAt === undefined || run.leasedAt === undefined) return true;
  return Math.abs(msBetween(latest.leasedAt, run.leasedAt)) < SAME_MOMENT_MS;
}
