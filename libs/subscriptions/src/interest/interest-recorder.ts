import { LRUCache } from 'lru-cache';
import type { JobSetKey } from '@ajs/job-state';
import type { JobSetLife } from '@ajs/job-store';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import type { InterestStore } from './interest-store.js';
import { NewJobSetLimit } from './new-job-set-limit.js';

/** Interest in one job set is written this often by one replica at most, however many polls there are. */
const RECORD_EVERY_MS = 10_000;
const REMEMBERED = 100_000;
/** More job sets than this at once wait for the next flush. */
const FLUSH_SIZE = 500;
/** More than this are not taken note of: the next poll may have more luck. */
const MAX_PENDING = 20_000;

/** Where job sets wait for a replica that follows them. */
export interface AssignmentQueue {
  /** Makes sure that each of these job sets is assigned, or waits to be. Costs next to nothing where it is. */
  enqueue(keys: readonly JobSetKey[]): Promise<void>;
  /** Has a job set assigned now, if it waits for the time of its next read. */
  promote(key: JobSetKey): Promise<void>;
}

export interface InterestRecorderOptions {
  readonly interest: InterestStore;
  readonly life: JobSetLife;
  readonly workQueue: AssignmentQueue;
  /** Job sets that are asked about, over all replicas: more are refused. */
  readonly maxJobSets: number;
  /** Job sets that nobody asked about before, of one caller, in ten minutes, here. */
  readonly maxNewJobSetsPerCaller: number;
  readonly onRefused: () => void;
  readonly onError: (error: Error) => void;
}

interface Pending {
  readonly key: JobSetKey;
  /** Whose allowance of new job sets it took from, if anybody's: it is given back where it was not needed. */
  readonly caller: string | undefined;
  /** The caller may bring in what nobody asked about before. */
  readonly mayBeNew: boolean;
}

interface Refusal {
  readonly reason: string;
  readonly until: number;
}

/**
 * Takes note of polls, aside from their way to an answer (P9): coalesces them by job set and writes them in the background,
 * so that what is polled is followed and kept. Bounded, so that no careless caller has Redis filled with names.
 */
export class InterestRecorder {
  private readonly recordedAt = new LRUCache<JobSetTag, number>({ max: REMEMBERED });
  private readonly refusals = new LRUCache<JobSetTag, Refusal>({ max: REMEMBERED });
  private readonly newJobSets: NewJobSetLimit;
  private readonly pending = new Map<JobSetTag, Pending>();
  private flushing: Promise<void> | undefined;

  constructor(private readonly options: InterestRecorderOptions) {
    this.newJobSets = new NewJobSetLimit(options.maxNewJobSetsPerCaller);
  }

  /**
   * Somebody polled a job set, whose tag may be known already. Returns at once. `caller` tells who named the job set; it is left
   * out where Armada named it.
   */
  record(key: JobSetKey, tag = jobSetTag(key), caller?: () => string): void {
    const now = performance.now();
    if (now - (this.recordedAt.peek(tag) ?? -Infinity) < RECORD_EVERY_MS) return;
    this.recordedAt.set(tag, now);
    if (this.pending.size >= MAX_PENDING) {
      this.refuse(tag, 'too many job sets are asked about for the first time just now');
      return;
    }
    const who = caller?.();
    const mayBeNew = who === undefined || this.newJobSets.take(who);
    // Said at once, and taken back where it turns out that the job set is no new one.
    if (!mayBeNew) this.setRefusal(tag, tooManyNew(this.newJobSets.most));
    this.pending.set(tag, { key, caller: mayBeNew ? who : undefined, mayBeNew });
    this.flushing ??= this.flush().finally(() => (this.flushing = undefined));
  }

  /** Redis may have lost what was noted: the next poll of each job set is noted again. */
  invalidate(): void {
    this.recordedAt.clear();
  }

  /** Why a job set that is asked about will not be followed; `undefined` where nothing is in the way. */
  refusal(tag: JobSetTag): string | undefined {
    const refusal = this.refusals.peek(tag);
    return refusal !== undefined && performance.now() < refusal.until ? refusal.reason : undefined;
  }

  /** Resolves when what was noted is written, or has failed to be. */
  async flushed(): Promise<void> {
    await this.flushing;
  }

  private async flush(): Promise<void> {
    // Polls of one turn of the event loop are written together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.pending.size > 0) {
      const batch = Array.from(this.pending).slice(0, FLUSH_SIZE);
      for (const [tag] of batch) this.pending.delete(tag);
      try {
        await this.write(batch);
      } catch (error) {
        // The next poll notes it again.
        for (const [tag, { caller }] of batch) {
          this.recordedAt.delete(tag);
          if (caller !== undefined) this.newJobSets.giveBack(caller);
        }
        this.options.onError(error as Error);
      }
    }
  }

  private async write(batch: readonly (readonly [tag: JobSetTag, pending: Pending])[]): Promise<void> {
    const { interest: demand, life, workQueue, maxJobSets: mostDemanded } = this.options;
    const noted = await Promise.all(
      batch.map(([, { key, mayBeNew }]) => demand.record(key, mayBeNew ? mostDemanded : 0)),
    );
    const wanted: JobSetKey[] = [];
    const quiet: JobSetKey[] = [];
    for (const [i, [tag, { key, caller, mayBeNew }]] of batch.entries()) {
      if (noted[i] === 'refused') {
        this.refuse(tag, mayBeNew ? tooManyDemanded(mostDemanded) : tooManyNew(this.newJobSets.most));
      } else {
        wanted.push(key);
        if (!mayBeNew) this.refusals.delete(tag);
      }
      if (noted[i] === 'quiet') quiet.push(key);
      if (noted[i] !== 'new' && caller !== undefined) this.newJobSets.giveBack(caller);
    }
    // After the demand, so that whoever takes the turn finds it wanted.
    await Promise.all([
      workQueue.enqueue(wanted),
      ...wanted.map((key) => life.touch(key)),
      ...quiet.map((key) => workQueue.promote(key)),
    ]);
  }

  private refuse(tag: JobSetTag, why: string): void {
    this.setRefusal(tag, why);
    this.options.onRefused();
  }

  private setRefusal(tag: JobSetTag, why: string): void {
    this.refusals.set(tag, {
      reason: `the job set is not followed: ${why}`,
      until: performance.now() + RECORD_EVERY_MS,
    });
  }
}

const tooManyNew = (most: number): string =>
  `you asked about more than ${most} new job sets in ten minutes (MAX_NEW_JOB_SETS_PER_CALLER)`;
const tooManyDemanded = (most: number): string => `${most} job sets are asked about already (MAX_JOB_SETS)`;
