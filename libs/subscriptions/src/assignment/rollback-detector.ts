import type { RedisClient } from '@ajs/job-store';
import { LoopProgress } from '@ajs/platform';
import { ROLLBACK_SHARDS } from '@ajs/redis-keys';

const CHECK_EVERY_MS = 1_000;
const MAX_ROUND_MS = 15_000;

/**
 * Notices within seconds that Redis went back in time: replicas raise numbers in it all the time, spread so that every master of a Cluster
 * has some, and a number that is not greater than before has been lost.
 */
export class RollbackDetector {
  private timer: NodeJS.Timeout | undefined;
  private readonly seen = new Map<string, number>();
  private isChecking = false;
  private readonly keys: readonly string[];

  /** @param onRollback Redis lost writes: it was emptied, restored, or failed over. */
  constructor(
    private readonly redis: RedisClient,
    private readonly onRollback: () => void,
    private readonly onError: (error: Error) => void,
    readonly progress = new LoopProgress(MAX_ROUND_MS),
  ) {
    this.keys = Array.from({ length: ROLLBACK_SHARDS }, (_, shard) =>
      redis.ownKeys.format({ kind: 'rollback', shard }),
    );
  }

  start(): void {
    this.progress.moved();
    this.timer = setInterval(() => void this.check(), CHECK_EVERY_MS);
  }

  close(): void {
    clearInterval(this.timer);
    this.progress.idle();
  }

  /** Checks once. */
  async check(): Promise<void> {
    if (this.isChecking) return;
    this.isChecking = true;
    try {
      const counts = await Promise.all(
        this.keys.map(async (key) => [key, await this.redis.incr(key)] as const),
      );
      const isOlder = counts.some(([key, count]) => count <= (this.seen.get(key) ?? 0));
      for (const [key, count] of counts) this.seen.set(key, count);
      if (isOlder) this.onRollback();
      this.progress.moved();
    } catch (error) {
      this.progress.failed(error as Error);
      this.onError(error as Error);
    } finally {
      this.isChecking = false;
    }
  }
}
