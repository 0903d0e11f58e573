import { createHash } from 'node:crypto';
import type { JobSetKey, JobId } from '@ajs/job-state';
import { JOB_INDEX_SHARDS, formatKey, jobSetTag, shardOf } from '@ajs/redis-keys';
import type { RedisClient } from '../client/redis-client.js';

/**
 * Job ids and job sets are known here by the first bytes of a hash. 48 bits: two of 10,000 job sets share a hash once in 5 million
 * times, and then `api.Jobs` asks Armada for the jobs of one of them.
 */
const HASH_BYTES = 6;
/** A shard is written by many job sets: once an hour is often enough to push its time to live ahead. */
const RENEW_AFTER_MS = 3_600_000;

/** A short name for a job set. */
function referenceOf(key: JobSetKey): Buffer {
  return hashOf(jobSetTag(key));
}

/** What stands for a job id, or for the tag of a job set, in the index. */
export function hashOf(text: string): Buffer {
  return createHash('sha1').update(text).digest().subarray(0, HASH_BYTES);
}

/** The key of the shard that a job id falls in. */
export function shardKey(jobId: JobId): string {
  return formatKey({ kind: 'job-index', shard: shardOf(jobId, JOB_INDEX_SHARDS) });
}

/** The key of the tag that a reference to a job set stands for. */
export function nameKey(reference: Buffer): string {
  return formatKey({ kind: 'job-set-name', reference: reference.toString('hex') });
}

/**
 * Writes the job index: from a job's id to its job set. It lies in other slots than the job set, so it can be ahead of the records (it
 * is written before them), or stay when they are gone: whoever uses it reads the job set itself. `JobLocator` reads it.
 */
export class JobIndex {
  private readonly renewedAt = new Float64Array(JOB_INDEX_SHARDS).fill(-Infinity);

  constructor(private readonly redis: RedisClient) {}

  /** Keeps what references to this job set stand for. */
  async name(key: JobSetKey, ttlSeconds: number): Promise<void> {
    await this.redis.set(nameKey(referenceOf(key)), jobSetTag(key), 'EX', ttlSeconds);
  }

  /** Says of these jobs that they are in this job set, on Armada's word: whatever was said of them before. */
  async add(key: JobSetKey, jobIds: Iterable<JobId>, ttlSeconds: number): Promise<void> {
    const reference = referenceOf(key);
    await this.writeEach(jobIds, ttlSeconds, (shard, job) => this.redis.hset(shard, job, reference));
  }

  /** As {@link add}, on a caller's word: what was said before stands. Resolves to those of the jobs that are in another job set. */
  async claim(key: JobSetKey, jobIds: Iterable<JobId>, ttlSeconds: number): Promise<ReadonlySet<JobId>> {
    const reference = referenceOf(key);
    const elsewhere = new Set<JobId>();
    await this.writeEach(jobIds, ttlSeconds, async (shard, job, jobId) => {
      if ((await this.redis.hsetnx(shard, job, reference)) === 1) return;
      const held = await this.redis.hgetBuffer(shard, job);
      if (held !== null && !held.equals(reference)) elsewhere.add(jobId);
    });
    return elsewhere;
  }

  async remove(jobIds: Iterable<JobId>): Promise<void> {
    await Promise.all(Array.from(jobIds, (jobId) => this.redis.hdel(shardKey(jobId), hashOf(jobId))));
  }

  private async writeEach(
    jobIds: Iterable<JobId>,
    ttlSeconds: number,
    write: (shard: string, job: Buffer, jobId: JobId) => Promise<unknown>,
  ): Promise<void> {
    const now = performance.now();
    const writes: Promise<unknown>[] = [];
    const shards = new Set<number>();
    for (const jobId of jobIds) {
      writes.push(write(shardKey(jobId), hashOf(jobId), jobId));
      shards.add(shardOf(jobId, JOB_INDEX_SHARDS));
    }
    for (const shard of shards) {
      if (now - (this.renewedAt[shard] ?? 0) < RENEW_AFTER_MS) continue;
      const renewed = this.redis.expire(formatKey({ kind: 'job-index', shard }), ttlSeconds);
      writes.push(renewed.then(() => (this.renewedAt[shard] = now)));
    }
    await Promise.all(writes);
  }
}
