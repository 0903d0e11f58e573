import type { JobId, JobSetKey } from '@ajs/job-state';
import { parseJobSetTag } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';
import type { RedisClient } from '../client/redis-client.js';
import { hashOf, nameKey, shardKey } from './job-index.js';

const NAMES_CACHED = 50_000;
const LOCATED_CACHED = 100_000;
/**
 * A job stays in its job set, so a result stays true. Should it be wrong all the same (the job set was deleted, or two ids share a
 * hash), it heals after this time.
 */
const LOCATED_TTL_MS = 600_000;

/** Reads the job index. Its caches take some megabytes from the start: one for each process. */
export class JobLocator {
  private readonly names = new LRUCache<string, JobSetKey>({ max: NAMES_CACHED });
  private readonly located = new LRUCache<string, { readonly key: JobSetKey; readonly until: number }>({
    max: LOCATED_CACHED,
  });

  /** @param now The clock for what is kept in memory: milliseconds. */
  constructor(
    private readonly redis: RedisClient,
    private readonly now: () => number = () => performance.now(),
  ) {}

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
