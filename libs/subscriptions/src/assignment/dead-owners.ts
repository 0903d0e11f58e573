import { msBetween, type MonotonicTime } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { Cluster } from 'ioredis';
import { LEASE_MS, RENEW_EVERY_MS } from './leases.js';
import releaseLeases from './lua/releaseLeases-3.lua';
import { keepSubscribed } from './subscribe.js';
import { WORK_QUEUE } from './work-queue.js';

const LOOK_EVERY_MS = 250;
/** How late a renewal may be before it counts as missed. */
const LATE_MS = 300;
const MISSED_A_RENEWAL_MS = LEASE_MS - RENEW_EVERY_MS - LATE_MS;
/**
 * From the beginning of one look to the answer of the next. It takes longer where Redis was away, long enough for a renewal to be missed:
 * then other owners may still be on their way back.
 */
const MAX_ROUND_MS = RENEW_EVERY_MS;

type ReleaseLeases = (
  active: string,
  stalled: string,
  stalledCheck: string,
  ...args: (string | number)[]
) => Promise<number>;

/** Has others see that this owner is connected: Redis ends a subscription with its connection. */
export async function showConnected(
  subscriber: RedisClient,
  owner: string,
  onError: (error: Error) => void,
): Promise<void> {
  await keepSubscribed(subscriber, subscriber.ownKeys.ownerChannel(owner), onError);
}

/**
 * Releases the leases of killed replicas before they expire. When a process ends, the kernel closes its connections, and Redis drops its
 * subscription: an owner that was seen connected, is not any more, and has missed a renewal is dead. One that is only frozen keeps its
 * connections, and so its leases for as long as they last.
 */
export class DeadOwners {
  private readonly redis: RedisClient & { releaseLeases: ReleaseLeases };
  /** Owners, and the last look that saw each connected. */
  private readonly seenAt = new Map<string, MonotonicTime>();
  private lookedAt: MonotonicTime | undefined;
  private isLooking = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    redis: RedisClient,
    private readonly onError: (error: Error) => void,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {
    redis.defineCommand('releaseLeases', { numberOfKeys: 3, lua: releaseLeases });
    this.redis = redis as RedisClient & { releaseLeases: ReleaseLeases };
  }

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Looks who is connected, and releases the leases of those that died since. Never rejects. */
  async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    const { lookedAt } = this;
    this.lookedAt = undefined;
    try {
      const beganAt = this.now();
      const connected = await this.connectedOwners();
      const wasAway = lookedAt === undefined || msBetween(lookedAt, this.now()) > MAX_ROUND_MS;
      for (const [owner, at] of this.seenAt) {
        if (wasAway || msBetween(at, beganAt) > LEASE_MS) this.seenAt.delete(owner);
      }
      for (const owner of connected) this.seenAt.set(owner, beganAt);
      await this.release(Array.from(this.seenAt.keys()).filter((owner) => !connected.has(owner)));
      this.lookedAt = beganAt;
    } catch (error) {
      this.onError(error as Error);
    } finally {
      this.isLooking = false;
    }
  }

  private async release(dead: readonly string[]): Promise<void> {
    if (dead.length === 0) return;
    const base = `${this.redis.ownKeys.workQueuePrefix}:${WORK_QUEUE}:`;
    await this.redis.releaseLeases(
      `${base}active`,
      `${base}stalled`,
      `${base}stalled-check`,
      base,
      MISSED_A_RENEWAL_MS,
      ...dead,
    );
  }

  /** A node of a cluster knows only those that are connected to itself. */
  private async connectedOwners(): Promise<Set<string>> {
    const { ownerChannels } = this.redis.ownKeys;
    const nodes = this.redis instanceof Cluster ? this.redis.nodes('all') : [this.redis];
    const channels = await Promise.all(nodes.map((node) => node.pubsub('CHANNELS', `${ownerChannels}*`)));
    return new Set(channels.flat().map((channel) => String(channel).slice(ownerChannels.length)));
  }
}
