import { LRUCache } from 'lru-cache';
import type { JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { READ_REQUESTS_CHANNEL, jobSetTag, parseJobSetTag, type JobSetTag } from '@ajs/redis-keys';
import type { WorkQueue } from './work-queue.js';

const SPACING_MS = 1_000;
const REMEMBERED = 10_000;

/**
 * Tells the holder of a job set that a poll waits to know whether a job exists, so that it reads at once. Sent over Redis'
 * publish/subscribe: nothing is stored, and one that is lost costs a poll its wait, no more.
 */
export class ReadRequestSender {
  private readonly sentAt = new LRUCache<JobSetTag, number>({ max: REMEMBERED });

  constructor(
    private readonly redis: RedisClient,
    private readonly workQueue: Pick<WorkQueue, 'promote'>,
  ) {}

  /** Asks, at most once a second for one job set: its holder, or whoever takes the turn that is woken. */
  async send(key: JobSetKey): Promise<void> {
    const tag = jobSetTag(key);
    const now = performance.now();
    if (now - (this.sentAt.peek(tag) ?? -Infinity) < SPACING_MS) return;
    this.sentAt.set(tag, now);
    // First, so that it has been heard by whoever takes the turn.
    await this.redis.publish(READ_REQUESTS_CHANNEL, tag);
    await this.workQueue.promote(key);
  }
}

/** Hears what {@link ReadRequestSender} sends. `subscriber` is a client of its own: a subscribed connection can do nothing else. */
export async function listenForReadRequests(
  subscriber: RedisClient,
  heard: (key: JobSetKey) => void,
): Promise<void> {
  subscriber.on('message', (_channel: string, tag: string) => {
    const key = parseJobSetTag(tag);
    if (key !== undefined) heard(key);
  });
  await subscriber.subscribe(READ_REQUESTS_CHANNEL);
}
