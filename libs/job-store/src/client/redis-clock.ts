import { RedisTime, toMs, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';

/**
 * Redis' clock as its replies show it. All replicas share it, so that moments are stored by it; this turns moments of the
 * process's own monotonic clock into it, and never says one that is too late.
 */
export class RedisClock {
  private offsetMs = -Infinity;

  /** As {@link synchronize}. */
  constructor(now: RedisTime, sentAt: MonotonicTime) {
    this.synchronize(now, sentAt);
  }

  /**
   * @param now Redis' time in a reply that has just arrived: it was read before, never after
   * @param sentAt When the command was sent, or before
   */
  synchronize(now: RedisTime, sentAt: MonotonicTime): void {
    const atLeast = toMs(now) - toMs(monotonicNow());
    const atMost = toMs(now) - toMs(sentAt);
    // Every offset is too small by the time its reply took: the largest is the nearest, until Redis' clock goes back. It does so where it
    // is set, and where a replica on another machine becomes the master.
    this.offsetMs = atMost < this.offsetMs ? atLeast : Math.max(this.offsetMs, atLeast);
  }

  /** At most Redis' time at this moment. */
  at(moment: MonotonicTime): RedisTime {
    return RedisTime(toMs(moment) + this.offsetMs);
  }
}
