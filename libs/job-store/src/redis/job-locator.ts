import type { JobId, JobSetKey } from '@ajs/job-state';
import type { JobIndex } from './job-index.js';

/** About: half of it is forgotten at once. */
const LOCATED_CACHED = 50_000;
/**
 * A job stays in its job set, so a result stays true. Should it be wrong all the same (the job set was deleted, or two ids share a
 * hash), it heals after this time.
 */
const LOCATED_TTL_MS = 600_000;

/** What was located from a moment on. */
interface Located {
  readonly since: number;
  readonly keys: Map<JobId, JobSetKey>;
}

/**
 * Reads the job index. What it finds is cached in two halves, and the older half is forgotten when the newer one is full or half of its time
 * is over: a call locates a thousand jobs, each of which would else need an entry with a time and a place in an order of use.
 */
export class JobLocator {
  private newer: Located;
  private older: Located;

  /** @param now The clock for what is kept in memory: milliseconds. */
  constructor(
    private readonly index: Pick<JobIndex, 'find'>,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.newer = this.older = { since: now(), keys: new Map() };
  }

  /** Results are cached for a while; a job without one is looked up each time. */
  async locate(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobSetKey>> {
    this.forgetOld();
    const located = new Map<JobId, JobSetKey>();
    const unknown: JobId[] = [];
    for (const jobId of jobIds) {
      const key = this.newer.keys.get(jobId) ?? this.older.keys.get(jobId);
      if (key === undefined) unknown.push(jobId);
      else located.set(jobId, key);
    }
    if (unknown.length === 0) return located;
    // As of before the look-up: a result is no younger than its question.
    const { newer } = this;
    (await this.index.find(unknown)).forEach((key, jobId) => {
      located.set(jobId, key);
      newer.keys.set(jobId, key);
    });
    return located;
  }

  private forgetOld(): void {
    const now = this.now();
    if (this.newer.keys.size >= LOCATED_CACHED / 2 || now - this.newer.since >= LOCATED_TTL_MS / 2) {
      this.older = this.newer;
      this.newer = { since: now, keys: new Map() };
    }
    if (now - this.older.since >= LOCATED_TTL_MS) this.older = { since: now, keys: new Map() };
  }
}
