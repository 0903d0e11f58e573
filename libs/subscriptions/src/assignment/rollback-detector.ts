import type { RedisClient } from '@ajs/job-store';
import { ROLLBACK_SHARDS, formatKey } from '@ajs/redis-keys';

const EVERY_MS = 1_000;
const KEYS = Array.from({ length: ROLLBACK_SHARDS }, (_, shard) => formatKey({ kind: 'rollback', shard }));

/**
 * Notices within seconds that Redis has lost what it had: replicas raise numbers in it all the time, spread so that every master of a
 * Cluster has some, and a number that is not greater than before has gone back.
 */
export class RollbackDetector {
  private timer: NodeJS.Timeout | undefined;
  private readonly seen = new Map<string, number>();
  private looking = false;

  /** @param wentBack Redis lost writes: it was emptied, restored, or failed over. */
  constructor(
    private readonly redis: RedisClient,
    private readonly wentBack: () => void,
    private readonly onError: (error: Error) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), EVERY_MS);
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Looks once. */
  async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      const found = await Promise.all(KEYS.map(async (key) => [key, await this.redis.incr(key)] as const));
      const isOlder = found.some(([key, number]) => number <= (this.seen.get(key) ?? 0));
      for (const [key, number] of found) this.seen.set(key, number);
      if (isOlder) this.wentBack();
    } catch (error) {
      this.onError(error as Error);
    } finally {
      this.looking = false;
    }
  }
}
