/**
 * Redis' clock as far as replies tell of it. Redis' clock is the one that all replicas share, so moments are stored by it;
 * this turns moments of the process's own monotonic clock into it, and never says one that is too late.
 */
export class RedisTime {
  private offset = -Infinity;

  /** @param now Redis' time in a reply that has just arrived: it was read before, never after. Milliseconds. */
  constructor(now: number) {
    this.learn(now);
  }

  learn(now: number): void {
    // Every offset is too small by the time its reply took: the largest is the nearest.
    this.offset = Math.max(this.offset, now - performance.now());
  }

  /** At most Redis' time at this moment of `performance.now()`. Milliseconds since the epoch. */
  at(moment: number): number {
    return moment + this.offset;
  }
}
