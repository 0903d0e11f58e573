import { addMs, msBetween, type MonotonicTime } from '@ajs/job-state';
import type { StoredRate } from '@ajs/job-store';

/** An event weighs half as much after this long. */
const HALF_LIFE_MS = 20_000;

/**
 * How often events of one job set come, as a moving average. It is stored with the job set, so that a job set that is read only now and
 * then, each time by another replica, has a rate as well.
 */
export class EventRate {
  private eventsPerMinute: number;
  private asOf: MonotonicTime;
  private counted = 0;

  constructor(stored: StoredRate | undefined, now: MonotonicTime) {
    this.eventsPerMinute = stored?.eventsPerMinute ?? 0;
    this.asOf = addMs(now, -(stored?.agoMs ?? 0));
  }

  /** An event came since the last look. */
  count(): void {
    this.counted++;
  }

  /** Events a minute as of `now`. */
  at(now: MonotonicTime): number {
    const ms = msBetween(this.asOf, now);
    if (ms <= 0) return this.eventsPerMinute;
    const before = 2 ** (-ms / HALF_LIFE_MS);
    const since = (this.counted * 60_000) / ms;
    this.eventsPerMinute = before * this.eventsPerMinute + (1 - before) * since;
    this.counted = 0;
    this.asOf = now;
    return this.eventsPerMinute;
  }
}
