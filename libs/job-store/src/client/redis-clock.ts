import { RedisTime, toMs, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';

/**
 * Redis' clock as its replies show it. All replicas share it, so that moments are stored by it; this turns moments of the
 * process's own monotonic clock into it, and never says one that is too late.
 */
export class RedisClock {
  private offsetMs = -Infinity;

  /** @param now Redis' time in a reply that has just arrived: it was read before, never after. */
  constructor(now: RedisTime) {
    this.synchronize(now);
  }

  synchronize(now: RedisTime): void {
    // Every offset is too small by the time its reply took: the largest is the nearest.
    this.offsetMs = Math.max(this.offsetMs, toMs(now) - toMs(monotonicNow()));
  }

  /** At most Redis' time at this moment. */
  at(moment: MonotonicTime): RedisTime {
    return RedisTime(toMs(moment) + this.offsetMs);
  }
}
