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

export interface ReportedJobsOptions {
  readonly armada: Pick<SharedArmadaJobs, 'for'>;
  readonly resolver: Pick<UpstreamJobResolver, 'reportOf'>;
  readonly sink: Pick<ProvisionalJobSink, 'report'>;
  readonly redisFailed: (error: Error) => void;
  /** Milliseconds. */
  readonly now?: () => number;
}

/**
 * Looks jobs up in Armada's own `api.Jobs` that no event stream settles, and records what it reports before anybody is told (P1). Each job
 * is looked up at most once a second, for all callers of this process.
 */
export class ReportedJobs {
  private readonly recent: RecentAnswers<Promise<UpstreamReport>>;

  constructor(private readonly options: ReportedJobsOptions) {
    this.recent = new RecentAnswers(KEEP_MS, options.now);
  }

  /**
   * For callers who may see the jobs of the queue: those of another queue or job set are `unknown`. Rejects at a defect only.
   *
   * @param who The caller in whose turn Armada is asked
   */
  lookUp(key: JobSetKey, jobId: JobId, who: string): Promise<UpstreamReport> {
    const request = `${jobSetTag(key)} ${jobId}`;
    const recent = this.recent.get(request);
    if (recent !== undefined) return recent;
    const report = this.request(key, jobId, who);
    this.recent.set(request, report);
    return report;
  }

  private async request(key: JobSetKey, jobId: JobId, who: string): Promise<UpstreamReport> {
    const { armada, resolver } = this.options;
    let job: ReportedJob | undefined;
    try {
      // Others may share the answer: it is looked up although the caller has gone.
      job = await resolver.reportOf(jobId, armada.for({ key: who, isGone: () => false }));
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (error.kind === 'unsupported') return { kind: 'unsupported' };
      return { kind: 'unanswered', reason: `Armada's api.Jobs failed: ${error.reason}` };
    }
    if (job?.details.queue !== key.queue || job.details.jobset !== key.jobSetId) return { kind: 'unknown' };
    if (job.report === undefined) {
      const reason = `Armada's api.Jobs reports state number ${job.details.state}, which this version does not know`;
      return { kind: 'unanswered', reason };
    }
    return this.record(key, jobId, job.report);
  }

  private async record(key: JobSetKey, jobId: JobId, report: JobReport): Promise<UpstreamReport> {
    const { sink, redisFailed } = this.options;
    try {
      await fromRedis(sink.report(key, new Map([[jobId, report]])));
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
