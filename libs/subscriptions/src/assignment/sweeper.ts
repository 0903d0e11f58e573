import {
  redisErrorKind,
  type JobLister,
  type JobSetLife,
  type RedisClient,
  type SubscriptionState,
} from '@ajs/job-store';
import type { JobSetKey } from '@ajs/job-state';
import { LoopProgress } from '@ajs/platform';
import type { InterestEntry, InterestStore } from '../interest/interest-store.js';
import { isWanted, type Lifetime } from '../interest/lifetime.js';
import type { WorkQueue } from './work-queue.js';

/** From one sweep, or one page of it, to the next. */
const MAX_ROUND_MS = 60_000;

export interface SweeperOptions {
  readonly redis: RedisClient;
  readonly replicaId: string;
  readonly interest: Pick<InterestStore, 'all' | 'forget'>;
  readonly life: JobSetLife;
  readonly workQueue: Pick<WorkQueue, 'enqueue'>;
  readonly lifetime: Lifetime;
  readonly lister: Pick<JobLister, 'read'>;
  /** Hears after each sweep how many job sets that are to be followed are in each state; `undefined` where another replica sweeps. */
  readonly onSwept: (jobSets: ReadonlyMap<SubscriptionState, number> | undefined) => void;
  readonly onError: (error: Error) => void;
  readonly progress?: LoopProgress;
}

/**
 * Goes through all interest from time to time, one replica for all: enqueues wanted job sets whose assignment was lost, and deletes job
 * sets that were not polled for long enough; those without any job as soon as they are not followed any more, for they may be no
 * more than a name that a caller made up. A job set at which something fails holds up no other: the next sweep comes to it again.
 */
export class Sweeper {
  readonly progress: LoopProgress;
  private timer: NodeJS.Timeout | undefined;
  private isSweeping = false;

  constructor(private readonly options: SweeperOptions) {
    this.progress = options.progress ?? new LoopProgress(MAX_ROUND_MS);
  }

  start(everyMs: number): void {
    this.progress.moved();
    this.timer = setInterval(() => void this.sweepIfElected(everyMs), everyMs);
  }

  stop(): void {
    clearInterval(this.timer);
    this.progress.idle();
  }

  /** Sweeps once, whether this replica is elected or not. */
  async sweep(): Promise<void> {
    const jobSets = new Map<SubscriptionState, number>();
    for await (const entries of this.options.interest.all()) {
      const decisions = await Promise.all(entries.map((entry) => this.attempt(this.decide(entry))));
      for (const [i, entry] of entries.entries()) {
        if (decisions[i] === 'delete') await this.attempt(this.expire(entry));
      }
      const wanted = entries.filter((_, i) => decisions[i] === 'follow');
      for (const state of await Promise.all(wanted.map(({ key }) => this.attempt(this.stateOf(key))))) {
        if (state !== undefined) jobSets.set(state, (jobSets.get(state) ?? 0) + 1);
      }
      // A Redis that is full takes none, but what is deleted in the pages to come makes room.
      await this.attempt(this.options.workQueue.enqueue(wanted.map(({ key }) => key)));
      this.progress.moved();
    }
    this.options.onSwept(jobSets);
  }

  private async sweepIfElected(everyMs: number): Promise<void> {
    if (this.isSweeping) return;
    this.isSweeping = true;
    try {
      if (await this.isElected(everyMs)) await this.sweep();
      else this.options.onSwept(undefined);
      this.progress.moved();
    } catch (error) {
      this.progress.failed(error as Error);
      this.options.onError(error as Error);
    } finally {
      this.isSweeping = false;
    }
  }

  private async isElected(everyMs: number): Promise<boolean> {
    const { redis, replicaId } = this.options;
    try {
      // Not given back: it expires by itself in time for the next sweep.
      const key = redis.ownKeys.format({ kind: 'sweeper' });
      return (await redis.set(key, replicaId, 'PX', Math.ceil(everyMs * 0.9), 'NX')) !== null;
    } catch (error) {
      // A Redis that is full cannot elect anybody, and needs the sweep most: several replicas may run it.
      if (redisErrorKind(error) === 'write-refused') return true;
      throw error;
    }
  }

  private async attempt<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      this.options.onError(error as Error);
      return undefined;
    }
  }

  private async stateOf(key: JobSetKey): Promise<SubscriptionState> {
    const { subscription } = await this.options.lister.read(key, []);
    return subscription?.state ?? 'connecting';
  }

  private async decide({ key, age }: InterestEntry): Promise<'follow' | 'keep' | 'delete'> {
    const { lifetime, life } = this.options;
    if (age >= lifetime.keepFor) return 'delete';
    if (isWanted(lifetime, age, 0)) return 'follow';
    if (age >= lifetime.followUnfinishedFor) return 'keep';
    const unfinished = await life.unfinished(key);
    if (unfinished === undefined) return 'delete';
    return isWanted(lifetime, age, unfinished) ? 'follow' : 'keep';
  }

  private async expire(entry: InterestEntry): Promise<void> {
    const { life, lifetime, interest } = this.options;
    await life.remove(entry.key, Math.min(lifetime.followFor, lifetime.keepFor));
    await interest.forget(entry);
  }
}
