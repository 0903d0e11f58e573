import {
  AbsenceKind,
  type JobResult,
  type WatchJobsRequest,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { isTerminal, type JobSetKey } from '@ajs/job-state';
import type { ChangedJob, JobSetPosition } from '@ajs/job-store';
import type { Caller } from '../caller.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';
import { isUpTo } from '../changes/job-set-position.js';
import type { RpcError } from '../rpc-error.js';
import { absenceOf, absentAmong, type AbsentJobs } from './absent-jobs.js';
import { AwaitedJobs, type AwaitedJobsListener } from './awaited-jobs.js';
import { hasEnded, jobResultOf, keyOf } from './job-result-of.js';
import type { JobResultsQuery } from './job-results-query.js';
import type { OpenCall, OpenStreams } from './open-streams.js';
import { requestedJobs, type RequestedJob } from './requests.js';

export interface JobsWatcherOptions {
  readonly results: Pick<JobResultsQuery, 'run'>;
  readonly feeds: Pick<JobSetFeeds, 'of'>;
  readonly streams: Pick<OpenStreams, 'run'>;
  readonly absent: Pick<AbsentJobs, 'lookUpFor'>;
}

/** Takes a result; the promise, if there is one, resolves once it wants more. */
export type SendResult = (result: JobResult) => Promise<void> | undefined;

/** Sends jobs as they are, then as they change, until all of them have ended. */
export class JobsWatcher {
  constructor(private readonly options: JobsWatcherOptions) {}

  /** Resolves once all jobs have ended; rejects with what else ends it. A slow reader gets the latest state of each job. */
  async watch(request: WatchJobsRequest, caller: Caller, send: SendResult): Promise<void> {
    const jobs = requestedJobs(request.refs);
    const { results: query, streams } = this.options;
    const results = await query.run(jobs, caller);
    const watch = new JobsWatch(this.options, jobs, results, caller, send);
    await streams.run(watch, () => watch.run());
  }
}

class JobsWatch implements OpenCall, AwaitedJobsListener {
  readonly method = 'watchJobs';
  /** Of the jobs that are followed: more are added as jobs are found. */
  readonly queues: Set<string>;
  private readonly keys: (JobSetKey | undefined)[];
  /** By the place of each job in the question, those that changed and have not been sent. */
  private readonly untold = new Map<number, ChangedJob>();
  /** Jobs that may have existed when they were sent last, and turned out not to. */
  private readonly untoldAbsences = new Map<number, JobResult>();
  private readonly unfinished = new Set<number>();
  private readonly toldAt = new Map<number, JobSetPosition>();
  private readonly followed: AwaitedJobs;
  private ended: RpcError | undefined;
  private wake: (() => void) | undefined;

  /** @param results what is sent first */
  constructor(
    private readonly options: Pick<JobsWatcherOptions, 'feeds' | 'absent'>,
    private readonly requested: readonly RequestedJob[],
    private readonly results: JobResult[],
    readonly caller: Caller,
    private readonly send: SendResult,
  ) {
    this.followed = new AwaitedJobs(options.feeds, this);
    this.keys = results.map(keyOf);
    this.queues = new Set(this.keys.flatMap((key) => key?.queue ?? []));
  }

  get jobCount(): number {
    return this.results.length;
  }

  end(error: RpcError): void {
    this.ended ??= error;
    this.wake?.();
  }

  async run(): Promise<void> {
    for (const [place, result] of this.results.entries()) {
      if (this.ended !== undefined) throw this.ended;
      if (!hasEnded(result)) this.unfinished.add(place);
      await this.tell(result);
    }
    for (const place of this.unfinished) this.follow(place);
    const stopLookUps = this.options.absent.lookUpFor({
      caller: this.caller,
      jobs: absentAmong(this.requested, this.results),
      tell: (place, result) => this.lookedUp(place, result),
      end: (error) => this.end(error),
    });
    try {
      while (this.unfinished.size > 0) {
        if (this.ended !== undefined) throw this.ended;
        if (this.untoldAbsences.size > 0) await this.tellAbsence();
        else if (this.untold.size > 0) await this.tellOne();
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      stopLookUps();
      this.followed.stop();
    }
  }

  heard(place: number, job: ChangedJob): void {
    if (job.job === undefined || isUpTo(this.toldAt.get(place), job)) return;
    this.untold.set(place, job);
    this.untoldAbsences.delete(place);
    this.wake?.();
  }

  private follow(place: number): void {
    const [key, job] = [this.keys[place], this.requested[place]];
    if (key !== undefined && job !== undefined) this.followed.add(place, { key, jobId: job.jobId });
  }

  /** A job that was found is reported by the feed of its job set, which knows what comes after what. */
  private lookedUp(place: number, result: JobResult): void {
    const [key, absence] = [keyOf(result), absenceOf(result)];
    if (this.keys[place] === undefined && key !== undefined) {
      this.keys[place] = key;
      this.queues.add(key.queue);
      this.follow(place);
      return;
    }
    const isKnown = this.untold.has(place) || this.toldAt.has(place);
    const isProven = absence !== undefined && absence !== AbsenceKind.ABSENCE_KIND_NOT_SYNCED;
    const before = this.results[place];
    if (isKnown || !isProven || before === undefined || absenceOf(before) === absence) return;
    this.results[place] = result;
    this.untoldAbsences.set(place, result);
    this.wake?.();
  }

  private async tellAbsence(): Promise<void> {
    for (const [place, result] of this.untoldAbsences) {
      this.untoldAbsences.delete(place);
      await this.tell(result);
      return;
    }
  }

  private async tellOne(): Promise<void> {
    for (const [place, changed] of this.untold) {
      this.untold.delete(place);
      const [result, key] = [this.results[place], this.keys[place]];
      const isFirst = !this.toldAt.has(place);
      this.toldAt.set(place, { generation: changed.generation, revision: changed.revision });
      if (key === undefined || changed.job === undefined) return;
      const { state } = changed.job.record;
      if (isTerminal(state)) this.unfinished.delete(place);
      const told = jobResultOf(result?.ref, key, changed, this.options.feeds.of(key, this.caller).moment);
      // As the read at the beginning had it.
      if (isFirst && isSameState(told, result)) return;
      await this.tell(told);
      return;
    }
  }

  /** Until the reader wants more, or the watch is to end. */
  private async tell(result: JobResult): Promise<void> {
    const taken = this.send(result);
    if (taken === undefined || this.ended !== undefined) return;
    await new Promise<void>((resolve, reject) => {
      this.wake = () => {
        if (this.ended !== undefined) resolve();
      };
      taken.then(resolve, reject);
    });
  }
}

function isSameState(told: JobResult, before: JobResult | undefined): boolean {
  return (
    told.result?.$case === 'job' &&
    before?.result?.$case === 'job' &&
    JSON.stringify(told.result.value) === JSON.stringify(before.result.value)
  );
}
