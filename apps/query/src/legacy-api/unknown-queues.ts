import { BoundedCache } from '@ajs/job-store';

/** Armada's servers learn of a new queue up to 10 s late. Milliseconds. */
const GONE_AFTER_MS = 15_000;
/** Whoever asks again later than this starts anew. Milliseconds. */
const FORGOTTEN_AFTER_MS = 60_000;
const REMEMBERED = 10_000;

/** For how long queues have not been there: one that Armada did not know once may be new, and its jobs are not to be denied. */
export class UnknownQueues {
  private readonly queues = new BoundedCache<string, { readonly since: number; readonly seen: number }>(
    REMEMBERED,
  );

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Armada has just said that it does not know the queue: whether it has said so for long enough. */
  isGone(queue: string): boolean {
    const now = this.now();
    const before = this.queues.get(queue);
    const since = before !== undefined && now - before.seen < FORGOTTEN_AFTER_MS ? before.since : now;
    this.queues.set(queue, { since, seen: now });
    return now - since >= GONE_AFTER_MS;
  }
}
