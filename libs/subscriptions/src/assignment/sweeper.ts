import { isFull, type JobSetLife, type RedisClient } from '@ajs/job-store';
import { formatKey } from '@ajs/redis-keys';
import type { InterestStore, InterestEntry } from '../interest/interest-store.js';
import { isWanted, type Lifetime } from '../interest/lifetime.js';
import type { WorkQueue } from './work-queue.js';

const KEY = formatKey({ kind: 'sweeper' });

export interface SweeperOptions {
  readonly redis: RedisClient;
  readonly replicaId: string;
  readonly interest: Pick<InterestStore, 'all' | 'forget'>;
  readonly life: JobSetLife;
  readonly workQueue: Pick<WorkQueue, 'enqueue'>;
  readonly lifetime: Lifetime;
  readonly onError: (error: Error) => void;
}

/**
 * Goes through the demand from time to time, one replica for all: puts lost hints back, and deletes job sets that nobody
 * has asked about for long enough: those without any job as soon as they are not followed any more, for they may be no more than a
 * name that somebody made up.
 */
export class Sweeper {
  private timer: NodeJS.Timeout | undefined;
  private sweeping = false;

  constructor(private readonly options: SweeperOptions) {}

  start(everyMs: number): void {
    this.timer = setInterval(() => void this.sweepIfItIsOurTurn(everyMs), everyMs);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Sweeps once, whoever's turn it is. */
  async sweep(): Promise<void> {
    for await (const demanded of this.options.interest.all()) {
      const fates = await Promise.all(demanded.map((one) => this.fateOf(one)));
      for (const [i, one] of demanded.entries()) if (fates[i] === 'delete') await this.expire(one);
      const wanted = demanded.filter((_, i) => fates[i] === 'follow');
      // A Redis that is full takes none, but what is to go in the pages to come makes room.
      await this.options.workQueue.enqueue(wanted.map(({ key }) => key)).catch(this.options.onError);
    }
  }

  private async sweepIfItIsOurTurn(everyMs: number): Promise<void> {
    if (this.sweeping) return;
    this.sweeping = true;
    try {
      const { redis, replicaId } = this.options;
      // Not given back: it ends by itself in time for the next sweep.
      const isOurs = await redis
        .set(KEY, replicaId, 'PX', Math.ceil(everyMs * 0.9), 'NX')
        // A Redis that is full cannot say whose turn it is, and needs the sweep most: it may run twice.
        .catch((error: Error) => isFull(error) || Promise.reject(error));
      if (isOurs) await this.sweep();
    } catch (error) {
      this.options.onError(error as Error);
    } finally {
      this.sweeping = false;
    }
  }

  private async fateOf({ key, age }: InterestEntry): Promise<'follow' | 'keep' | 'delete'> {
    const { lifetime, life } = this.options;
    if (age >= lifetime.keepFor) return 'delete';
    if (isWanted(lifetime, age, 0)) return 'follow';
    if (age >= lifetime.followUnfinishedFor) return 'keep';
    const unfinished = await life.unfinished(key);
    if (unfinished === undefined) return 'delete';
    return isWanted(lifetime, age, unfinished) ? 'follow' : 'keep';
  }

  private async expire(demanded: InterestEntry): Promise<void> {
    const { life, lifetime, interest: demand } = this.options;
    await life.remove(demanded.key, Math.min(lifetime.followFor, lifetime.keepFor));
    await demand.forget(demanded);
  }
}
