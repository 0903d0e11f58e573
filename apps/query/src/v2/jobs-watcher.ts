import type { JobResult, WatchJobsRequest } from '@ajs/contracts/jobservice/v2/job_status_service';
import { JobId, isTerminal } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { fromV2JobState } from '@ajs/wire-mapping';
import type { Caller } from '../caller.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';
import type { RpcError } from '../rpc-error.js';
import { AwaitedJobs } from './awaited-jobs.js';
import { jobResultOf } from './job-result-of.js';
import type { JobResultsQuery } from './job-results-query.js';
import { keyOf } from './job-waiter.js';
import type { OpenStreams } from './open-streams.js';
import { requestedJobs } from './requests.js';

export interface JobsWatcherOptions {
  readonly results: Pick<JobResultsQuery, 'run'>;
  readonly feeds: Pick<JobSetFeeds, 'of'>;
  readonly streams: Pick<OpenStreams, 'run'>;
}

/** Takes a result; the promise, if there is one, resolves once it wants more. */
export type SendResult = (result: JobResult) => Promise<void> | undefined;

/** Tells jobs as they are, then as they change, until all of them have ended. */
export class JobsWatcher {
  constructor(private readonly options: JobsWatcherOptions) {}

  /** Resolves once all jobs have ended; rejects with what else ends it. A reader that is slow is told the latest state of each job. */
  async watch(request: WatchJobsRequest, caller: Caller, send: SendResult): Promise<void> {
    const jobs = requestedJobs(request.refs);
    const { results: query, streams } = this.options;
    const results = await query.run(jobs, caller);
    const queues = new Set(results.flatMap((result) => keyOf(result)?.queue ?? []));
    const watch = new JobsWatch(this.options.feeds, results, send);
    await streams.run(
      'watchJobs',
      caller,
      { queues, jobs: results.length },
      (error) => watch.end(error),
      () => watch.run(),
    );
  }
}

class JobsWatch {
  /** By the place of each job in the question, those that changed and have not been told. */
  private readonly untold = new Map<number, ChangedJob>();
  private readonly unfinished = new Set<number>();
  private readonly toldRevisions = new Map<number, number>();
  private ended: RpcError | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly feeds: Pick<JobSetFeeds, 'of'>,
    private readonly results: readonly JobResult[],
    private readonly send: SendResult,
  ) {}

  end(error: RpcError): void {
    this.ended ??= error;
    this.wake?.();
  }

  async run(): Promise<void> {
    for (const [place, result] of this.results.entries()) {
      if (!isOver(result)) this.unfinished.add(place);
      await this.send(result);
    }
    const jobs = new AwaitedJobs(this.feeds, (place, job) => this.heard(place, job));
    for (const place of this.unfinished) {
      const result = this.results[place];
      const key = result && keyOf(result);
      if (key !== undefined) jobs.add(place, { key, jobId: JobId(result?.ref?.jobId ?? '') });
    }
    try {
      while (this.unfinished.size > 0) {
        if (this.ended !== undefined) throw this.ended;
        if (this.untold.size > 0) await this.tellOne();
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      jobs.stop();
    }
  }

  private heard(place: number, job: ChangedJob): void {
    if (job.job === undefined || job.revision <= (this.toldRevisions.get(place) ?? -1)) return;
    this.untold.set(place, job);
    this.wake?.();
  }

  private async tellOne(): Promise<void> {
    for (const [place, changed] of this.untold) {
      this.untold.delete(place);
      const [result, isFirst] = [this.results[place], !this.toldRevisions.has(place)];
      this.toldRevisions.set(place, changed.revision);
      const key = result && keyOf(result);
      if (key === undefined || changed.job === undefined) return;
      const { state } = changed.job.record;
      if (isTerminal(state)) this.unfinished.delete(place);
      const told = jobResultOf(result?.ref, key, changed, this.feeds.of(key).moment);
      // As the read at the beginning had it.
      if (isFirst && isSameState(told, result)) return;
      await this.send(told);
      return;
    }
  }
}

function isOver({ result }: JobResult): boolean {
  const state = result?.$case === 'job' ? fromV2JobState(result.value.state) : undefined;
  return state !== undefined && isTerminal(state);
}

function isSameState(told: JobResult, before: JobResult | undefined): boolean {
  return (
    told.result?.$case === 'job' &&
    before?.result?.$case === 'job' &&
    JSON.stringify(told.result.value) === JSON.stringify(before.result.value)
  );
}
