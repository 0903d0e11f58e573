import {
  createRedisClient,
  evictionPolicies,
  isReady,
  redisErrorKind,
  type RedisClient,
  type RedisTarget,
} from '@ajs/job-store';
import { completesWithin } from '@ajs/platform';
import { missingRights, type RedisUser } from '../redis/missing-rights.js';
import type { Check } from './check-config.js';

/** A first connection takes well under a second, to sentinels and clusters as well. */
const ANSWER_MS = 3_000;
const PROBE_TTL_MS = 10_000;

/** Whether Redis can be reached, takes writes, keeps what it has, and lets its user do what the process needs. */
export async function checkRedis(target: RedisTarget, user: RedisUser): Promise<Check[]> {
  let last = `no answer within ${ANSWER_MS / 1_000} s`;
  const redis = createRedisClient(target, 'reader', (error) => (last = error.message || String(error)));
  try {
    if (!(await completesWithin(ANSWER_MS, isReady(redis)))) {
      return [{ what: 'Redis', outcome: 'failed', found: `${last}; see REDIS_URL in docs/settings.md` }];
    }
    const connected: Check = { what: 'Redis', outcome: 'ok', found: 'connected' };
    return [
      connected,
      ...(await Promise.all([checkRights(redis, user), checkWrites(redis), checkEviction(redis)])),
    ];
  } finally {
    redis.disconnect();
  }
}

function checkRights(redis: RedisClient, user: RedisUser): Promise<Check> {
  return tried('Redis rights', async () => {
    const missing = await missingRights(redis, user);
    return missing.length === 0
      ? { outcome: 'ok', found: 'the user has all rights that this process needs' }
      : { outcome: 'failed', found: `the user lacks ${missing.join(' ')}; grant them as in docs/redis.md` };
  });
}

function checkWrites(redis: RedisClient): Promise<Check> {
  return tried('Redis writes', async () => {
    await redis.set(redis.ownKeys.format({ kind: 'probe', shard: 0 }), 'check', 'PX', PROBE_TTL_MS);
    return { outcome: 'ok', found: 'Redis takes writes' };
  });
}

function checkEviction(redis: RedisClient): Promise<Check> {
  return tried('Redis eviction', async () => {
    const evicting = (await evictionPolicies(redis)).filter((policy) => policy !== 'noeviction');
    return evicting.length === 0
      ? { outcome: 'ok', found: 'Redis evicts no keys' }
      : {
          outcome: 'warning',
          found: `Redis may evict keys (${evicting[0]}); set maxmemory-policy noeviction, else job sets are read again from Armada`,
        };
  });
}

async function tried(what: string, check: () => Promise<Omit<Check, 'what'>>): Promise<Check> {
  try {
    return { what, ...(await check()) };
  } catch (error) {
    return {
      what,
      outcome: 'failed',
      found: `${(error as Error).message} (${redisErrorKind(error)}); see docs/redis.md`,
    };
  }
}
