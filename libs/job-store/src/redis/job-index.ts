import { createHash } from 'node:crypto';
import type { JobSetKey, JobId } from '@ajs/job-state';
import { JOB_INDEX_SHARDS, formatKey, jobSetTag, parseJobSetTag, shardOf } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';
import type { RedisClient } from '../client/redis-client.js';

/**
 * Job ids and job sets are known here by the first bytes of a hash. 48 bits: two of 10,000 job sets share a hash once in 5 million
 * times, and then `api.Jobs` asks Armada for the jobs of one of them.
 */
const HASH_BYTES = 6;
const NAMES_CACHED = 50_000;
const LOCATED_CACHED = 100_000;
/**
 * A job stays in its job set, so a result stays true. Should it be wrong all the same (the job set was deleted, or two ids share a
 * hash), it heals after this time.
 */
const LOCATED_TTL_MS = 600_000;
/** A shard is written by many job sets: once an hour is often enough to push its time to live ahead. */
const RENEW_AFTER_MS = 3_600_000;

/** A short name for a job set. */
function referenceOf(key: JobSetKey): Buffer {
  return hashOf(jobSetTag(key));
}

function hashOf(text: string): Buffer {
  return createHash('sha1').update(text).digest().subarray(0, HASH_BYTES);
}

function shardKey(jobId: JobId): string {
  return formatKey({ kind: 'job-index', shard: shardOf(jobId, JOB_INDEX_SHARDS) });
}

function nameKey(reference: Buffer): string {
  return formatKey({ kind: 'job-set-name', reference: reference.toString('hex') });
}

/**
 * The job index: from a job's id to its job set. It lies in other slots than the job set, so it can be ahead of the records (it
 * is written before them), or stay when they are gone: whoever uses it reads the job set itself.
 */
export class JobIndex {
  private readonly renewedAt = new Float64Array(JOB_INDEX_SHARDS).fill(-Infinity);
  private readonly names = new LRUCache<string, JobSetKey>({ max: NAMES_CACHED });
  private readonly located = new LRUCache<string, { readonly key: JobSetKey; readonly until: number }>({
    max: LOCATED_CACHED,
  });

  /** @param now The clock for what is kept in memory: milliseconds. */
  constructor(
    private readonly redis: RedisClient,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Keeps what references to this job set stand for. */
  async name(key: JobSetKey, ttlSeconds: number): Promise<void> {
    await this.redis.set(nameKey(referenceOf(key)), jobSetTag(key), 'EX', ttlSeconds);
  }

  async add(key: JobSetKey, jobIds: Iterable<JobId>, ttlSeconds: number): Promise<void> {
    const reference = referenceOf(key);
    const now = this.now();
    const writes: Promise<unknown>[] = [];
    const shards = new Set<number>();
    for (const jobId of jobIds) {
      writes.push(this.redis.hset(shardKey(jobId), hashOf(jobId), reference));
      shards.add(shardOf(jobId, JOB_INDEX_SHARDS));
    }
    for (const shard of shards) {
      if (now - (this.renewedAt[shard] ?? 0) < RENEW_AFTER_MS) continue;
      const renewed = this.redis.expire(formatKey({ kind: 'job-index', shard }), ttlSeconds);
      writes.push(renewed.then(() => (this.renewedAt[shard] = now)));
    }
    await Promise.all(writes);
  }

  async remove(jobIds: Iterable<JobId>): Promise<void> {
    await Promise.all(Array.from(jobIds, (jobId) => this.redis.hdel(shardKey(jobId), hashOf(jobId))));
  }

  /** Results are cached for a while; a job without one is looked up each time. */
  async locate(jobIds: readonly JobId[]): Promise<Map<JobId, JobSetKey>> {
    const located = new Map<JobId, JobSetKey>();
    const unknown: JobId[] = [];
    const now = this.now();
    for (const jobId of jobIds) {
      const cached = this.located.get(jobId);
      if (cached !== undefined && now < cached.until) located.set(jobId, cached.key);
      else unknown.push(jobId);
    }
    if (unknown.length === 0) return located;
    for (const [jobId, key] of await this.read(unknown)) {
      located.set(jobId, key);
      this.located.set(jobId, { key, until: now + LOCATED_TTL_MS });
    }
    return located;
  }

  private async read(jobIds: readonly JobId[]): Promise<Map<JobId, JobSetKey>> {
    const references = await Promise.all(
      jobIds.map((jobId) => this.redis.hgetBuffer(shardKey(jobId), hashOf(jobId))),
    );
    const wanted = new Map<string, Buffer>();
    for (const reference of references) {
      if (reference !== null) wanted.set(reference.toString('hex'), reference);
    }
    const named = new Map<string, JobSetKey | undefined>();
    await Promise.all(
      Array.from(wanted, async ([hex, reference]) => named.set(hex, await this.nameOf(hex, reference))),
    );
    const located = new Map<JobId, JobSetKey>();
    jobIds.forEach((jobId, i) => {
      const key = named.get(references[i]?.toString('hex') ?? '');
      if (key !== undefined) located.set(jobId, key);
    });
    return located;
  }

  private async nameOf(hex: string, reference: Buffer): Promise<JobSetKey | undefined> {
    const cached = this.names.get(hex);
    if (cached !== undefined) return cached;
    const key = parseJobSetTag((await this.redis.get(nameKey(reference))) ?? '');
    if (key !== undefined) this.names.set(hex, key);
    return key;
  }
}
