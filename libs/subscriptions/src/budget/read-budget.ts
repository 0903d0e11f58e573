import { TokenBucket, monotonicNow } from '@ajs/platform';
import type { MonotonicTime } from '@ajs/job-state';

/** Which reads come first: those that a poll waits for, those of job sets that are or were watched, those that are due. */
export const URGENCIES = ['requested', 'watched', 'due'] as const;
export type Urgency = (typeof URGENCIES)[number];

/** After a quiet time so many seconds' worth of reads may begin at once: what a killed replica leaves is read without delay. */
const BURST_SECONDS = 0.5;
/** Reads that are due leave this part of the burst to others, which so begin at once however many are due. */
const LEFT_BY_DUE = 0.8;
/** What may begin on and on, so that with such a burst it is still no more over ten seconds. */
const STEADY_PART = 0.95;

/**
 * How many reads of Armada may begin in a second on this replica: its part of the fleet's. Who may not begin yet waits in order of
 * urgency.
 */
export class ReadBudget {
  private readonly waiting: Record<Urgency, (() => void)[]> = { requested: [], watched: [], due: [] };
  private readonly bucket: TokenBucket;
  private timer: NodeJS.Timeout | undefined;

  /** @param perSecond As of now: it changes with the number of replicas. */
  constructor(
    readonly perSecond: () => number,
    now: () => MonotonicTime = monotonicNow,
  ) {
    const rate = () => ({ perSecond: perSecond() * STEADY_PART, burst: this.burst });
    this.bucket = new TokenBucket(rate, now, 0);
  }

  /** How many reads wait. */
  get backlog(): number {
    return URGENCIES.reduce((sum, urgency) => sum + this.waiting[urgency].length, 0);
  }

  /** Resolves when a read may begin, or at once when it is withdrawn. */
  async take(urgency: Urgency, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const queue = this.waiting[urgency];
    await new Promise<void>((resolve) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        const place = queue.indexOf(begin);
        if (place >= 0) queue.splice(place, 1);
        resolve();
      };
      queue.push(begin);
      signal.addEventListener('abort', leave, { once: true });
      this.serve();
    });
  }

  private get burst(): number {
    return Math.max(1, this.perSecond() * BURST_SECONDS);
  }

  private serve(): void {
    // Whoever waits now may begin sooner than those for whom it was set.
    clearTimeout(this.timer);
    for (const urgency of URGENCIES) {
      const queue = this.waiting[urgency];
      const enough = urgency === 'due' ? Math.max(1, this.burst * LEFT_BY_DUE) : 1;
      while (queue.length > 0 && this.bucket.take(enough)) queue.shift()?.();
      if (queue.length === 0) continue;
      this.timer = setTimeout(() => this.serve(), this.bucket.msUntil(enough));
      return;
    }
  }
}
