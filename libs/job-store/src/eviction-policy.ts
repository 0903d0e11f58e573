import { Cluster } from 'ioredis';
import type { RedisClient } from './scripts.js';

/** The `maxmemory-policy` of every master, once each. INFO tells it also where CONFIG is not allowed. */
export async function evictionPolicies(redis: RedisClient): Promise<string[]> {
  const masters = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const infos = await Promise.all(masters.map((node) => node.info('memory')));
  return [...new Set(infos.map((info) => /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown'))];
}
