import type { JobId, JobSetKey } from '@ajs/job-state';
import { LRUCache } from 'lru-cache';
import type { JobIndex } from './job-index.js';

const LOCATED_CACHED = 50_000;
/**
 * A job stays in its job set, so a result stays true. Should it be wrong all the same (the job set was deleted, or two ids share a
 * hash), it heals after this time.
 */
const LOCATED_TTL_MS = 600_000;

/** Reads the job index. Its cache takes some megabytes from the start: one for each process. */
export class JobLocator {
  private readonly located = new LRUCache<string, { readonly key: JobSetKey; readonly until: number }>({
    max: LOCATED_CACHED,
  });

  /** @param now The clock for what is kept in memory: milliseconds. */
  constructor(
    private readonly index: JobIndex,
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
    for (const [jobId, key] of await this.index.find(unknown)) {
      located.set(jobId, key);
      this.located.set(jobId, { key, until: now + LOCATED_TTL_MS });
    }
    return located;
  }
}
