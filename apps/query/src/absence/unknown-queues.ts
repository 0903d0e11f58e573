import { createHash } from 'node:crypto';
import { FairCache } from '@ajs/platform';
import type { JobServiceRequest } from '@ajs/contracts/jobservice/jobservice';

/** Armada's servers see a new queue up to 10 s late. Milliseconds. */
const GONE_AFTER_MS = 15_000;
/** A job that was not polled for this long starts anew. Milliseconds. */
const FORGOTTEN_AFTER_MS = 60_000;
/** Some 100 bytes each. */
const MAX_JOBS = 50_000;

/**
 * How long jobs have been polled while their queue did not exist: a queue that Armada does not know may be new, and then its jobs must not
 * be reported as not found. Each job has a time of its own: others of the queue may have been polled long before the queue was created.
 */
export class UnknownQueues {
  private readonly jobs = new FairCache<string, { readonly since: number; readonly polledAt: number }>(
    MAX_JOBS,
  );

  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * To be called when Armada has just said that the job's queue does not exist. Says whether it has said so for long enough.
   *
   * @param who the caller whose share of the memory it takes
   */
  isGone({ queue, jobSetId, jobId }: JobServiceRequest, who: string): boolean {
    const now = this.now();
    // Hashed, since names may be long.
    const key = createHash('sha256')
      .update(JSON.stringify([queue, jobSetId, jobId]))
      .digest('base64');
    const before = this.jobs.get(key);
    const since = before !== undefined && now - before.polledAt < FORGOTTEN_AFTER_MS ? before.since : now;
    this.jobs.set(key, { since, polledAt: now }, who);
    return now - since >= GONE_AFTER_MS;
  }
}
