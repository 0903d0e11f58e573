import { msBetween, type MonotonicTime } from '@ajs/job-state';

export interface TokenRate {
  readonly perSecond: number;
  /** The most that can be saved up: so many may be taken at once after a quiet time. */
  readonly burst: number;
}

/** A rate limit: tokens come at a steady rate, are saved up to a burst, and each event takes one. */
export class TokenBucket {
  private tokens: number;
  private filledAt: MonotonicTime;

  /**
   * @param rate Asked each time, since it may change
   * @param now The monotonic clock
   * @param initially How many tokens there are to begin with
   */
  constructor(
    private readonly rate: () => TokenRate,
    private readonly now: () => MonotonicTime,
    initially = rate().burst,
  ) {
    this.tokens = initially;
    this.filledAt = now();
  }

  /** Takes one token if there are at least `least`; returns whether it did. */
  take(least = 1): boolean {
    this.fill();
    if (this.tokens < least) return false;
    this.tokens--;
    return true;
  }

  /** Puts back a token that was taken and not used. */
  giveBack(): void {
    // What exceeds the burst is lost with the next look.
    this.tokens++;
  }

  /** After how many whole milliseconds there will be `least` tokens, if none is taken and the rate stays. */
  msUntil(least = 1): number {
    this.fill();
    return Math.max(0, Math.ceil(((least - this.tokens) * 1_000) / this.rate().perSecond));
  }

  private fill(): void {
    const { perSecond, burst } = this.rate();
    const now = this.now();
    this.tokens = Math.min(burst, this.tokens + (msBetween(this.filledAt, now) * perSecond) / 1_000);
    this.filledAt = now;
  }
}
