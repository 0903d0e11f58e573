import type { JobSetKey } from '@ajs/job-state';
import type { JobSetLife } from '@ajs/job-store';
import { FairShares, LoopProgress } from '@ajs/platform';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';
import type { InterestStore, RecordedInterest } from './interest-store.js';
import { NewJobSetLimit } from './new-job-set-limit.js';

/** Interest in one job set is written this often by one replica at most, however many polls there are. */
const RECORD_EVERY_MS = 10_000;
const REMEMBERED = 50_000;
/** More job sets than this wait for the next flush. */
const FLUSH_SIZE = 500;
/** Above this, or above the caller's share of it, polls of further job sets are refused until some are written. */
const MAX_PENDING = 20_000;
/** Who named a job set, where no caller did. */
const ARMADA = 'Armada';
/** From one batch that is written to the next. */
const MAX_ROUND_MS = 30_000;

/** Where job sets wait to be assigned to an ingester replica. */
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
  /** Job sets with interest, over all replicas: more are refused. */
  readonly maxJobSets: number;
  /** Job sets without interest before, of one caller, in ten minutes, on this replica. */
  readonly maxNewJobSetsPerCaller: number;
  readonly onRefused: () => void;
  readonly onError: (error: Error) => void;
  readonly progress?: LoopProgress;
}

interface Pending {
  readonly key: JobSetKey;
  /** The caller whose allowance of new job sets was reduced, if any: it is given back where the job set is not new. */
  readonly caller: string | undefined;
  readonly mayBeNew: boolean;
  readonly polls: number;
  /** Whose share of the job sets that wait it takes. */
  readonly who: string;
}

/** When polls of a job set were recorded last, and how many there were since. */
interface Recorded {
  readonly at: number;
  polls: number;
}

interface Refusal {
  readonly reason: string;
  readonly until: number;
}

/**
 * Records interest in polled job sets, aside from the poll's way to its answer (P9): coalesces polls by job set and writes in the background,
 * so that what is polled is followed and kept. Bounded, so that no careless caller fills Redis with names.
 */
export class InterestRecorder {
  readonly progress: LoopProgress;
  private readonly recorded = new LRUCache<JobSetTag, Recorded>({ max: REMEMBERED });
  /** Of job sets, for everybody. */
  private readonly refusals = new LRUCache<JobSetTag, Refusal>({ max: REMEMBERED });
  /** Of what one caller polled: another may have the same job set followed. */
  private readonly ownRefusals = new LRUCache<string, Refusal>({ max: REMEMBERED });
  private readonly newJobSets: NewJobSetLimit;
  private readonly pending = new Map<JobSetTag, Pending>();
  private readonly pendingShares = new FairShares(MAX_PENDING);
  private flushing: Promise<void> | undefined;

  constructor(private readonly options: InterestRecorderOptions) {
    this.newJobSets = new NewJobSetLimit(options.maxNewJobSetsPerCaller);
    this.progress = options.progress ?? new LoopProgress(MAX_ROUND_MS);
  }

  /**
   * Records a poll of a job set, whose tag may be known already. Returns at once. `caller` identifies who named the job set; it is left
   * out where Armada named it.
   */
  record(key: JobSetKey, tag = jobSetTag(key), caller?: string): void {
    const who = caller ?? ARMADA;
    const recorded = this.recorded.peek(tag);
    if (recorded !== undefined) recorded.polls++;
    if (isRecent(recorded) || reasonOf(this.ownRefusals.peek(ownOf(who, tag))) !== undefined) return;
    const waiting = this.pending.get(tag);
    if (waiting?.mayBeNew === true) return;
    if (waiting === undefined && !this.pendingShares.take(who)) {
      this.ownRefusals.set(ownOf(who, tag), refusalFor(TOO_MANY_AT_ONCE));
      this.options.onRefused();
      return;
    }
    const mayBeNew = caller === undefined || this.newJobSets.take(caller);
    if (mayBeNew) this.recorded.set(tag, { at: performance.now(), polls: 0 });
    // Refused at once, and accepted after all where it turns out that the job set is not new.
    else this.ownRefusals.set(ownOf(who, tag), refusalFor(tooManyNew(this.newJobSets.max)));
    this.pending.set(tag, {
      key,
      caller: mayBeNew ? caller : undefined,
      mayBeNew,
      polls: recorded?.polls ?? 1,
      // Where another waits for it whose allowance is used up, it takes its share and this caller's allowance.
      who: waiting?.who ?? who,
    });
    this.flushing ??= this.flush();
  }

  /** Redis may have lost what was recorded: the next poll of each job set is recorded again. */
  invalidate(): void {
    this.recorded.clear();
  }

  /** Why a job set that this caller polled will not be followed; `undefined` where nothing is in the way. */
  refusal(tag: JobSetTag, caller: string): string | undefined {
    const reason = reasonOf(this.refusals.peek(tag));
    // What one caller may not have followed, another may have had.
    if (reason !== undefined || isRecent(this.recorded.peek(tag))) return reason;
    return reasonOf(this.ownRefusals.peek(ownOf(caller, tag)));
  }

  /** Resolves when what was recorded is written, or has failed to be. */
  async flushed(): Promise<void> {
    await this.flushing;
  }

  private async flush(): Promise<void> {
    this.progress.moved();
    // Polls that arrive in one iteration of the event loop are written together.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.pending.size > 0) await this.flushSome();
      this.progress.idle();
    } finally {
      // In one step with the last look at what is pending: a later poll begins another flush.
      this.flushing = undefined;
    }
  }

  private async flushSome(): Promise<void> {
    const batch = Array.from(this.pending).slice(0, FLUSH_SIZE);
    for (const [tag, { who }] of batch) {
      this.pending.delete(tag);
      this.pendingShares.release(who);
    }
    try {
      await this.write(batch);
      this.progress.moved();
    } catch (error) {
      // The next poll is recorded again.
      for (const [tag, { who }] of batch) {
        this.recorded.delete(tag);
        this.ownRefusals.delete(ownOf(who, tag));
      }
      this.progress.failed(error as Error);
      this.options.onError(error as Error);
    }
  }

  private async write(batch: readonly (readonly [tag: JobSetTag, pending: Pending])[]): Promise<void> {
    const { life, workQueue, maxJobSets } = this.options;
    const results = await Promise.all(batch.map(([, pending]) => this.recordInterest(pending)));
    const wanted: JobSetKey[] = [];
    const quiet: JobSetKey[] = [];
    for (const [i, [tag, { key, mayBeNew }]] of batch.entries()) {
      if (results[i] === 'refused') {
        if (mayBeNew) this.refusals.set(tag, refusalFor(tooMany(maxJobSets)));
        this.options.onRefused();
      } else {
        wanted.push(key);
        if (!mayBeNew) this.recorded.set(tag, { at: performance.now(), polls: 0 });
      }
      if (results[i] === 'quiet') quiet.push(key);
    }
    // After the interest, so that the replica that is given the assignment finds the job set wanted.
    await Promise.all([
      workQueue.enqueue(wanted),
      ...wanted.map((key) => life.touch(key)),
      ...quiet.map((key) => workQueue.promote(key)),
    ]);
  }

  /** Only a new job set whose interest is in Redis takes something of its caller's allowance, whatever fails after that. */
  private async recordInterest({ key, caller, mayBeNew, polls }: Pending): Promise<RecordedInterest> {
    const { interest, maxJobSets } = this.options;
    let result: RecordedInterest | undefined;
    try {
      result = await interest.record(key, mayBeNew ? maxJobSets : 0, polls);
      return result;
    } finally {
      if (result !== 'new' && caller !== undefined) this.newJobSets.giveBack(caller);
    }
  }
}

function isRecent(recorded: Recorded | undefined): boolean {
  return recorded !== undefined && performance.now() - recorded.at < RECORD_EVERY_MS;
}

function refusalFor(why: string): Refusal {
  return { reason: `the job set is not followed: ${why}`, until: performance.now() + RECORD_EVERY_MS };
}

function reasonOf(refusal: Refusal | undefined): string | undefined {
  return refusal !== undefined && performance.now() < refusal.until ? refusal.reason : undefined;
}

const ownOf = (who: string, tag: JobSetTag): string => `${tag} ${who}`;

const TOO_MANY_AT_ONCE = 'too many job sets are polled for the first time at once; try again later';
const tooManyNew = (max: number): string =>
  `this caller polled more than ${max} new job sets within ten minutes (MAX_NEW_JOB_SETS_PER_CALLER)`;
const tooMany = (max: number): string => `${max} job sets are followed already (MAX_JOB_SETS)`;
