import { evictionPolicies, type RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';

/** Warns where Redis may remove keys by itself: a job set that lost some is read from Armada again, if Armada still has it. */
export async function warnOfEviction(redis: RedisClient, log: Log): Promise<void> {
  try {
    const policies = new Set(await evictionPolicies(redis));
    policies.delete('noeviction');
    if (policies.size > 0) {
      log.warn(
        { policies: [...policies] },
        'Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
      );
    }
  } catch (error) {
    log.warn(
      { err: error },
      'could not check that Redis evicts no keys; make sure that maxmemory-policy is noeviction',
    );
  }
}
