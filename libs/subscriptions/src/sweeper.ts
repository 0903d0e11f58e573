import type { JobSetLife, RedisClient } from '@ajs/job-store';
import { formatKey } from '@ajs/redis-keys';
import type { Demand, Demanded } from './demand.js';
import { isWanted, type Lifetime } from './lifetime.js';
import type { WorkQueue } from './work-queue.js';

const KEY = formatKey({ kind: 'sweeper' });

export interface SweeperOptions {
  readonly redis: RedisClient;
  readonly replicaId: string;
  readonly demand: Demand;
  readonly life: JobSetLife;
  readonly workQueue: WorkQueue;
  readonly lifetime: Lifetime;
  readonly onError: (error: Error) => void;
}

/**
 * Goes through the demand from time to time, one replica for all: puts lost hints back, and deletes job sets that nobody
 * has asked about for long enough.
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
    for await (const demanded of this.options.demand.all()) {
      const wanted = await this.keep(demanded, (one) => this.isWanted(one));
      await this.options.workQueue.hint(wanted.map(({ key }) => key));
      for (const one of demanded) if (one.age >= this.options.lifetime.keepFor) await this.expire(one);
    }
  }

  private async sweepIfItIsOurTurn(everyMs: number): Promise<void> {
    if (this.sweeping) return;
    this.sweeping = true;
    try {
      const { redis, replicaId } = this.options;
      // Not given back: it ends by itself in time for the next sweep.
      if ((await redis.set(KEY, replicaId, 'PX', Math.ceil(everyMs * 0.9), 'NX')) === 'OK')
        await this.sweep();
    } catch (error) {
      this.options.onError(error as Error);
    } finally {
      this.sweeping = false;
    }
  }

  private async keep(all: Demanded[], test: (one: Demanded) => Promise<boolean>): Promise<Demanded[]> {
    const kept = await Promise.all(all.map(test));
    return all.filter((_, i) => kept[i]);
  }

  private async isWanted({ key, age }: Demanded): Promise<boolean> {
    const { lifetime, life } = this.options;
    if (age >= lifetime.followUnfinishedFor) return isWanted(lifetime, age, 0);
    return isWanted(lifetime, age, 0) || isWanted(lifetime, age, await life.unfinished(key));
  }

  private async expire(demanded: Demanded): Promise<void> {
    await this.options.life.remove(demanded.key, this.options.lifetime.keepFor);
    await this.options.demand.forget(demanded);
  }
}
