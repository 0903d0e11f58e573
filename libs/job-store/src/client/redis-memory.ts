import { Cluster } from 'ioredis';
import type { RedisClient } from './redis-client.js';

/** The memory of one master. */
export interface RedisMemory {
  /** What it does when it is full: `maxmemory-policy`. */
  readonly policy: string;
  /** It has reached `maxmemory`. With the policy `noeviction` it then refuses to write, and goes on reading. */
  readonly isFull: boolean;
}

/** The memory of each master, by INFO, which works also where CONFIG is not allowed. */
export async function memoryOf(redis: RedisClient): Promise<RedisMemory[]> {
  const masters = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const infos = await Promise.all(masters.map((node) => node.info('memory')));
  return infos.map((info) => {
    const value = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
    const most = Number(value('maxmemory') ?? 0);
    // Buffers of replicas and of the append-only file do not count.
    const used = Number(value('used_memory') ?? 0) - Number(value('mem_not_counted_for_evict') ?? 0);
    return { policy: value('maxmemory_policy') ?? 'unknown', isFull: most > 0 && used >= most };
  });
}
