import type { JobResult, WaitForJobsResponse } from '@ajs/contracts/jobservice/v2/job_status_service';
import { JobId, isTerminal, type JobSetKey, type JobState } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { systemClock, type Clock } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';
import { isUpTo } from '../changes/job-set-position.js';
import type { RpcError } from '../rpc-error.js';
import { absentAmong, type AbsentJobs } from './absent-jobs.js';
import { AwaitedJobs, type AwaitedJobsListener } from './awaited-jobs.js';
import { hasEnded, jobResultOf, keyOf, stateOf } from './job-result-of.js';
import type { OpenCall, OpenStreams } from './open-streams.js';
import type { RequestedJob } from './requests.js';

/** What is waited for. */
export interface WaitGoal {
  /** How many of the jobs have to come so far. */
  readonly count: number;
  /** Left out: any terminal state. */
  readonly states?: ReadonlySet<JobState>;
}

/** Whether a job has come as far as it is waited for. In another terminal state it never will: nobody waits for that. */
function hasArrived(state: JobState, { states }: WaitGoal): boolean {
  return isTerminal(state) || states?.has(state) === true;
}

function hasResultArrived(result: JobResult, goal: WaitGoal): boolean {
  const state = stateOf(result);
  return state !== undefined && hasArrived(state, goal);
}

export interface JobWaitOptions {
  readonly feeds: Pick<JobSetFeeds, 'of'>;
  readonly streams: Pick<OpenStreams, 'enter' | 'leave'>;
  readonly absent: Pick<AbsentJobs, 'lookUpFor'>;
}

/** A job as its feed reported it last. It stands in the place of what was read before, so that a wait keeps one of them. */
interface ToldJob {
  readonly ref: JobResult['ref'];
  readonly feed: JobSetFeed;
  readonly changed: ChangedJob;
  /** Whether it has ever come as far as it is waited for: that counts from then on. */
  readonly hasArrived: boolean;
}

/**
 * A call that waits until jobs have come as far as they are waited for. It costs nothing while nothing changes: it is called with the changes of
 * its jobs, and by one timer. There may be tens of thousands, which is why it is one object, and no function that waits in a function.
 */
export class JobWait implements OpenCall, AwaitedJobsListener {
  readonly method = 'waitForJobs';
  queues: readonly string[] = [];
  private readonly jobs: AwaitedJobs;
  /** By their places in the request. */
  private readonly known: (JobResult | ToldJob)[];
  private arrived = 0;
  private isOver = false;
  private resolve: (() => void) | undefined;
  private reject: ((error: RpcError) => void) | undefined;
  private cancelTimer: (() => void) | undefined;
  private stopLookUps: (() => void) | undefined;

  /** @param results what was read of the jobs */
  constructor(
    private readonly options: JobWaitOptions,
    readonly caller: Caller,
    private readonly goal: WaitGoal,
    results: readonly JobResult[],
    private readonly clock: Pick<Clock, 'after'> = systemClock,
  ) {
    this.jobs = new AwaitedJobs(options.feeds, this);
    this.known = [...results];
    for (const result of results) {
      if (hasResultArrived(result, goal)) this.arrived++;
      this.noteQueue(keyOf(result));
    }
  }

  get isSatisfied(): boolean {
    return this.arrived >= this.goal.count;
  }

  /** How many jobs it names. */
  get jobCount(): number {
    return this.known.length;
  }

  /**
   * Resolves once the goal is reached, and with what is known after so many milliseconds, or where the process stops. Rejects where the
   * caller has gone, or may not see the jobs any more; throws RESOURCE_EXHAUSTED where there is no room for the call.
   */
  within(ms: number, requested: readonly RequestedJob[]): Promise<WaitForJobsResponse> {
    const over = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.options.streams.enter(this);
    this.begin(ms, requested);
    // Not where the feed reports a change, which it has to report to others as well.
    return over.then(() => this.response());
  }

  /** What is known of the jobs now. */
  response(): WaitForJobsResponse {
    return { satisfied: this.isSatisfied, results: this.known.map(toResult) };
  }

  end(error: RpcError): void {
    // A process that stops answers what it has.
    if (error.code === status.UNAVAILABLE) this.answer();
    else if (this.leave()) this.reject?.(error);
  }

  heard(place: number, changed: ChangedJob, feed: JobSetFeed): void {
    const before = this.known[place];
    if (before === undefined || changed.job === undefined) return;
    // It may come twice, or as a read saw it a moment ago.
    if ('changed' in before && isUpTo(before.changed, changed)) return;
    const had = 'changed' in before ? before.hasArrived : hasResultArrived(before, this.goal);
    const has = had || hasArrived(changed.job.record.state, this.goal);
    this.known[place] = { ref: before.ref, feed, changed, hasArrived: has };
    if (has && !had) this.arrived++;
    if (this.isSatisfied) this.answer();
  }

  private begin(ms: number, requested: readonly RequestedJob[]): void {
    const results = this.known.map(toResult);
    // Those that have come far enough may still go on: each is answered as it is in the end.
    for (const [place, result] of results.entries()) this.follow(place, result);
    // The others are reported by their job sets once they exist.
    const jobs = absentAmong(requested, results, ({ key }) => key === undefined);
    if (this.isOver) return;
    if (jobs.size > 0) {
      this.stopLookUps = this.options.absent.lookUpFor({
        caller: this.caller,
        jobs,
        tell: (place, result) => this.lookedUp(place, result),
        end: (error) => this.end(error),
      });
    }
    this.cancelTimer = this.clock.after(ms, () => this.answer());
  }

  private follow(place: number, result: JobResult): void {
    const key = keyOf(result);
    if (key === undefined || this.isOver || hasEnded(result)) return;
    this.jobs.add(place, { key, jobId: JobId(result.ref?.jobId ?? '') });
  }

  /** Of a job that no feed has reported yet. */
  private lookedUp(place: number, result: JobResult): void {
    this.known[place] = result;
    this.noteQueue(keyOf(result));
    this.follow(place, result);
    if (hasResultArrived(result, this.goal)) this.arrived++;
    if (this.isSatisfied) this.answer();
  }

  private noteQueue(key: JobSetKey | undefined): void {
    if (key !== undefined && !this.queues.includes(key.queue)) this.queues = [...this.queues, key.queue];
  }

  private answer(): void {
    if (this.leave()) this.resolve?.();
  }

  /** Whether it had not been left before. */
  private leave(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.cancelTimer?.();
    this.stopLookUps?.();
    this.jobs.stop();
    this.options.streams.leave(this);
    return true;
  }
}

function toResult(known: JobResult | ToldJob): JobResult {
  if (!('changed' in known)) return known;
  const { ref, feed, changed } = known;
  return jobResultOf(ref, feed.key, changed, feed.moment);
}
