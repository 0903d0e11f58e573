import { Inject, Injectable } from '@nestjs/common';
import { memoryOf, type RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import { LOG } from '@ajs/runtime';
import { REDIS_WRITER } from '../tokens.js';

/** Whether Redis has room for what is written, and keeps it. */
@Injectable()
export class RedisMemoryCheck {
  constructor(
    @Inject(REDIS_WRITER) private readonly redis: RedisClient,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** Rejects while Redis has reached its maxmemory: it still answers reads, and refuses every write. */
  async check(): Promise<void> {
    // That it does not answer, or may not tell, is for another check to say.
    const masters = await memoryOf(this.redis).catch(() => []);
    if (masters.some(({ isFull, policy }) => isFull && policy === 'noeviction')) {
      throw new Error(
        'Redis has reached its maxmemory and refuses writes; give it more memory, or lower DELETE_AFTER_POLL',
      );
    }
  }

  /** Warns where Redis may remove keys by itself: a job set that lost some is read from Armada again, if Armada still has it. */
  async warnOfEviction(): Promise<void> {
    try {
      const policies = new Set((await memoryOf(this.redis)).map(({ policy }) => policy));
      policies.delete('noeviction');
      if (policies.size > 0) {
        this.log.warn(
          { policies: [...policies] },
          'Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
        );
      }
    } catch (error) {
      this.log.warn(
        { err: error },
        'could not check that Redis evicts no keys; make sure that maxmemory-policy is noeviction',
      );
    }
  }
}
