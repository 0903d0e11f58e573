import { isTerminal, type JobState } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { systemClock, type Clock } from '@ajs/platform';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';
import { isUpTo } from '../changes/job-set-position.js';
import { AwaitedJobs, type AwaitedJob } from './awaited-jobs.js';

/** What is waited for. */
export interface WaitGoal {
  /** How many of the jobs have to come so far. */
  readonly count: number;
  /** Left out: any terminal state. */
  readonly states?: ReadonlySet<JobState>;
}

/** Whether a job has come as far as it is waited for. In another terminal state it never will: nobody waits for that. */
export function hasArrived(state: JobState, { states }: WaitGoal): boolean {
  return isTerminal(state) || states?.has(state) === true;
}

/**
 * Waits until jobs have come as far as they are waited for. A job that was seen so far counts from then on. Costs nothing while nothing
 * changes: it is called with the changes of its jobs, and by one timer.
 */
export class JobWait {
  /** The latest of each job that was told, by its place in the question. */
  readonly told = new Map<number, ChangedJob>();
  private readonly jobs: AwaitedJobs;
  private readonly stops: (() => void)[] = [];
  private readonly arrived = new Set<number>();
  private settle: (isSatisfied: boolean) => void = () => undefined;
  private readonly result = new Promise<boolean>((resolve) => (this.settle = resolve));

  constructor(
    feeds: Pick<JobSetFeeds, 'of'>,
    private readonly goal: WaitGoal,
    private readonly clock: Pick<Clock, 'after'> = systemClock,
  ) {
    this.jobs = new AwaitedJobs(feeds, (place, job) => this.heard(place, job));
  }

  /** Waits for one more job. `place` is its place in the question. */
  add(place: number, job: AwaitedJob): void {
    this.jobs.add(place, job);
  }

  /** Has this called once the wait is over. */
  whenOver(stop: () => void): void {
    this.stops.push(stop);
  }

  /** Whether the goal was reached within so many milliseconds, before {@link end}. */
  async within(ms: number): Promise<boolean> {
    const cancel = this.clock.after(ms, () => this.end());
    try {
      return await this.result;
    } finally {
      cancel();
      this.jobs.stop();
      for (const stop of this.stops) stop();
    }
  }

  /** Ends the wait: it is not reached. */
  end(): void {
    this.settle(false);
  }

  private heard(place: number, changed: ChangedJob): void {
    // It may be told twice, or as a read saw it a moment ago.
    if (isUpTo(this.told.get(place), changed)) return;
    if (changed.job === undefined) return;
    this.told.set(place, changed);
    if (!hasArrived(changed.job.record.state, this.goal)) return;
    this.arrived.add(place);
    if (this.arrived.size >= this.goal.count) this.settle(true);
  }
}
