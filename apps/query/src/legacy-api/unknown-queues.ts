import { LRUCache } from 'lru-cache';
import { createHash } from 'node:crypto';
import type { JobServiceRequest } from '@ajs/contracts/jobservice/jobservice';

/** Armada's servers learn of a new queue up to 10 s late. Milliseconds. */
const GONE_AFTER_MS = 15_000;
/** Whoever asks again later than this starts anew. Milliseconds. */
const FORGOTTEN_AFTER_MS = 60_000;
/** Some 100 bytes each. */
const REMEMBERED = 50_000;

/**
 * For how long the queues of jobs have not been there: one that Armada did not know may be new, and its jobs are not to be denied. Each job has
 * a time of its own: nobody asks for one before its queue is there, though others may have asked for the queue long before.
 */
export class UnknownQueues {
  private readonly jobs = new LRUCache<string, { readonly since: number; readonly seen: number }>({
    max: REMEMBERED,
  });

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Armada has just said that it does not know the job's queue: whether it has said so to those who asked for the job for long enough. */
  isGone({ queue, jobSetId, jobId }: JobServiceRequest): boolean {
    const now = this.now();
    // Names may be long.
    const key = createHash('sha256')
      .update(JSON.stringify([queue, jobSetId, jobId]))
      .digest('base64');
    const before = this.jobs.get(key);
    const since = before !== undefined && now - before.seen < FORGOTTEN_AFTER_MS ? before.since : now;
    this.jobs.set(key, { since, seen: now });
    return now - since >= GONE_AFTER_MS;
  }
}
