import { ArmadaJobsError, type ReportedJob, type SharedArmadaJobs } from '@ajs/armada-client';
import type { JobId, JobReport, JobSetKey } from '@ajs/job-state';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import { INTERNAL_ERROR_TEXT } from '../rpc-error.js';
import { RedisReadError, fromRedis } from '../store/redis-read.js';
import { RecentAnswers } from './recent-answers.js';
import type { UpstreamJobResolver } from './upstream-job-resolver.js';

/** How long one look-up of a job serves all callers. Milliseconds. */
const KEEP_MS = 1_000;

/**
 * What came of looking a job of one job set up in Armada's own `api.Jobs`.
 * - `recorded`: Armada has the job. Redis now holds the state that Armada reported, or a later one.
 * - `unknown`: Armada has no such job, or has it in another job set.
 * - `unsupported`: this Armada has no `api.Jobs`.
 * - `unanswered`: neither is known, for a reason that is a clause for people.
 */
export type UpstreamReport = { readonly kind: 'recorded' } | UnrecordedReport;

/** A look-up by which no record was made or changed. */
export type UnrecordedReport =
  { readonly kind: 'unknown' | 'unsupported' } | { readonly kind: 'unanswered'; readonly reason: string };

const UNKNOWN: UpstreamReport = { kind: 'unknown' };

export interface ReportedJobsOptions {
  readonly armada: Pick<SharedArmadaJobs, 'for'>;
  readonly resolver: Pick<UpstreamJobResolver, 'reportsOf'>;
  readonly sink: Pick<ProvisionalJobSink, 'report'>;
  readonly redisFailed: (error: Error) => void;
  /** Milliseconds. */
  readonly now?: () => number;
}

/**
 * Looks jobs up in Armada's own `api.Jobs` that no event stream settles, and records what it reports before it is answered (P1). Each job
 * is looked up at most once a second, for all callers of this process.
 */
export class ReportedJobs {
  private readonly recent: RecentAnswers<Promise<ReadonlyMap<JobId, UpstreamReport>>>;

  constructor(private readonly options: ReportedJobsOptions) {
    this.recent = new RecentAnswers(KEEP_MS, options.now);
  }

  /**
   * For callers who may see the jobs of the queue: those of another queue or job set are `unknown`. Rejects at a defect only.
   *
   * @param who The caller in whose turn Armada is asked
   */
  async lookUp(key: JobSetKey, jobId: JobId, who: string): Promise<UpstreamReport> {
    return (await this.lookUpAll(key, [jobId], who)).get(jobId) ?? UNKNOWN;
  }

  /** As {@link lookUp}, of several jobs at once: a report for each. */
  async lookUpAll(
    key: JobSetKey,
    jobIds: readonly JobId[],
    who: string,
  ): Promise<ReadonlyMap<JobId, UpstreamReport>> {
    const tag = jobSetTag(key);
    const requestOf = (jobId: JobId): string => `${tag} ${jobId}`;
    const lookUps = new Map<JobId, Promise<ReadonlyMap<JobId, UpstreamReport>>>();
    const toRequest: JobId[] = [];
    for (const jobId of jobIds) {
      const recent = this.recent.get(requestOf(jobId));
      if (recent === undefined) toRequest.push(jobId);
      else lookUps.set(jobId, recent);
    }
    if (toRequest.length > 0) {
      const requested = this.request(key, toRequest, who);
      for (const jobId of toRequest) {
        this.recent.set(requestOf(jobId), requested);
        lookUps.set(jobId, requested);
      }
    }
    // Together: one that rejects while another is under way would be awaited by nobody.
    const found = await Promise.all(lookUps.values());
    return new Map(Array.from(lookUps.keys(), (jobId, i) => [jobId, found[i]?.get(jobId) ?? UNKNOWN]));
  }

  private async request(
    key: JobSetKey,
    jobIds: readonly JobId[],
    who: string,
  ): Promise<ReadonlyMap<JobId, UpstreamReport>> {
    const { armada, resolver } = this.options;
    const each = (report: UpstreamReport): ReadonlyMap<JobId, UpstreamReport> =>
      new Map(jobIds.map((jobId) => [jobId, report]));
    let jobs: ReadonlyMap<JobId, ReportedJob>;
    try {
      // Others may share the answer: it is looked up although the caller has gone.
      jobs = await resolver.reportsOf(jobIds, armada.for({ key: who, isGone: () => false }));
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (error.kind === 'unsupported') return each({ kind: 'unsupported' });
      return each({ kind: 'unanswered', reason: `Armada's api.Jobs failed: ${error.reason}` });
    }
    const reports = new Map<JobId, UpstreamReport>();
    const toRecord = new Map<JobId, JobReport>();
    for (const [jobId, { details, report }] of jobs) {
      if (details.queue !== key.queue || details.jobset !== key.jobSetId) continue;
      if (report !== undefined) toRecord.set(jobId, report);
      else reports.set(jobId, { kind: 'unanswered', reason: unknownState(details.state) });
    }
    if (toRecord.size > 0) {
      const recorded = await this.record(key, toRecord);
      for (const jobId of toRecord.keys()) reports.set(jobId, recorded);
    }
    return reports;
  }

  private async record(key: JobSetKey, reports: ReadonlyMap<JobId, JobReport>): Promise<UpstreamReport> {
    const { sink, redisFailed } = this.options;
    try {
      await fromRedis(sink.report(key, reports));
      return { kind: 'recorded' };
    } catch (error) {
      redisFailed(error instanceof RedisReadError ? error.cause : (error as Error));
      return {
        kind: 'unanswered',
        reason: error instanceof RedisReadError ? error.message : INTERNAL_ERROR_TEXT,
      };
    }
  }
}

function unknownState(number: number): string {
  return `Armada's api.Jobs reports state number ${number}, which this version does not know`;
}
