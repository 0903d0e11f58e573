import { LRUCache } from 'lru-cache';
import type { JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { jobSetTag, parseJobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { keepSubscribed } from './subscribe.js';
import type { WorkQueue } from './work-queue.js';

const SPACING_MS = 1_000;
const REMEMBERED = 10_000;

/**
 * Requests a read of a job set from its owner, for a poll that waits to know whether a job exists. Sent over Redis' publish/subscribe:
 * nothing is stored, and a lost request costs a poll its wait, no more.
 */
export class ReadRequestSender {
  private readonly sentAt = new LRUCache<JobSetTag, number>({ max: REMEMBERED });

  constructor(
    private readonly redis: RedisClient,
    private readonly workQueue: Pick<WorkQueue, 'promote'>,
  ) {}

  /** Sends at most one request a second for one job set: to its owner, or to the replica that it is assigned to now. */
  async send(key: JobSetKey): Promise<void> {
    const tag = jobSetTag(key);
    const now = performance.now();
    if (now - (this.sentAt.peek(tag) ?? -Infinity) < SPACING_MS) return;
    this.sentAt.set(tag, now);
    // First, so that it has been heard by the replica that is given the assignment.
    await this.redis.publish(this.redis.ownKeys.readRequestsChannel, tag);
    await this.workQueue.promote(key);
  }
}

/**
 * Receives what {@link ReadRequestSender} sends, as soon as Redis allows it. `subscriber` only subscribes: its
 * connection can do nothing else.
 */
export async function listenForReadRequests(
  subscriber: RedisClient,
  onRequest: (key: JobSetKey) => void,
  onError: (error: Error) => void,
): Promise<void> {
  subscriber.on('message', (_channel: string, tag: string) => {
    const key = parseJobSetTag(tag);
    if (key !== undefined) onRequest(key);
  });
  await keepSubscribed(subscriber, subscriber.ownKeys.readRequestsChannel, onError);
}
