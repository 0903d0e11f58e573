import { hash } from 'node:crypto';
import type { JobId, JobSetKey } from '@ajs/job-state';
import { FORMER_JOB_INDEX_SHARDS, parseJobSetTag, shardOf } from '@ajs/redis-keys';
import type { RedisClient } from '../client/redis-client.js';

const HASH_BYTES = 6;

/**
 * Reads the job index that the version before wrote. Its keys go by their time to live, some days after the last process of that version has
 * stopped; it can be removed with the version after this one.
 */
export class FormerJobIndex {
  constructor(private readonly redis: RedisClient) {}

  /** The job set that each job is in, where that index has it. A command for each job, pipelined. */
  async find(jobIds: readonly JobId[]): Promise<Map<JobId, JobSetKey>> {
    const references = await Promise.all(
      jobIds.map((jobId) => {
        const shard = shardOf(jobId, FORMER_JOB_INDEX_SHARDS);
        const field = hash('sha1', jobId, 'buffer').subarray(0, HASH_BYTES);
        return this.redis.hgetBuffer(this.redis.ownKeys.format({ kind: 'former-job-index', shard }), field);
      }),
    );
    const names = new Map<string, JobSetKey | undefined>();
    for (const reference of references)
      if (reference !== null) names.set(reference.toString('hex'), undefined);
    await Promise.all(
      Array.from(names.keys(), async (reference) => {
        const tag = await this.redis.get(
          this.redis.ownKeys.format({ kind: 'former-job-set-name', reference }),
        );
        names.set(reference, parseJobSetTag(tag ?? ''));
      }),
    );
    const found = new Map<JobId, JobSetKey>();
    jobIds.forEach((jobId, i) => {
      const key = names.get(references[i]?.toString('hex') ?? '');
      if (key !== undefined) found.set(jobId, key);
    });
    return found;
  }
}
