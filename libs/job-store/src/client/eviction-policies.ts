import { Cluster } from 'ioredis';
import type { RedisClient } from './redis-client.js';

/** What each master does when its memory is full: its `maxmemory-policy`, by INFO, which works also where CONFIG is not allowed. */
export async function evictionPolicies(redis: RedisClient): Promise<string[]> {
  const masters = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const infos = await Promise.all(masters.map((node) => node.info('memory')));
  return infos.map((info) => /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown');
}
