import type { RedisClient } from '@ajs/job-store';
import { formatKey } from '@ajs/redis-keys';

const ANNOUNCE_EVERY_MS = 1_000;
/** A replica that has not announced itself for so long does not count. */
const GONE_AFTER_MS = 5_000;
const KEY = formatKey({ kind: 'replicas' });

/**
 * The ingester replicas and how many job sets each holds, as they announce themselves in Redis. BullMQ gives a turn to whoever
 * asks first; this tells a replica when it has more than its fair share.
 */
export class Replicas {
  private readonly timer: NodeJS.Timeout;
  private others = { held: 0, replicas: 0 };

  constructor(
    private readonly redis: RedisClient,
    private readonly id: string,
    private readonly held: () => number,
    private readonly onError: (error: Error) => void,
  ) {
    this.timer = setInterval(() => void this.announce(), ANNOUNCE_EVERY_MS);
    void this.announce();
  }

  /** Whether this replica holds more than its share, by more than a few: its next slice that ends should go elsewhere. */
  aboveShare(): boolean {
    const held = this.held();
    const share = (this.others.held + held) / (this.others.replicas + 1);
    return held > share + Math.max(2, share * 0.05);
  }

  async leave(): Promise<void> {
    clearInterval(this.timer);
    await this.redis.hdel(KEY, this.id);
  }

  private async announce(): Promise<void> {
    try {
      const [seconds, micros] = (await this.redis.time()).map(Number);
      const now = (seconds ?? 0) * 1000 + Math.floor((micros ?? 0) / 1000);
      await this.redis.hset(KEY, this.id, `${this.held()}@${now}`);
      const all = Object.entries(await this.redis.hgetall(KEY));
      const others = { held: 0, replicas: 0 };
      for (const [id, text] of all) {
        if (id === this.id) continue;
        const [held, announcedAt] = text.split('@').map(Number);
        if (now - (announcedAt ?? 0) > GONE_AFTER_MS) {
          await this.redis.hdel(KEY, id);
          continue;
        }
        others.held += held ?? 0;
        others.replicas++;
      }
      this.others = others;
    } catch (error) {
      this.onError(error as Error);
    }
  }
}
