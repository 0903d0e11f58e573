import type { MonotonicTime } from '@ajs/job-state';
import { TokenBucket, monotonicNow } from '@ajs/platform';
import { LRUCache } from 'lru-cache';

const WITHIN_SECONDS = 10 * 60;
const REMEMBERED = 10_000;

/** Limits how many job sets without interest before one caller may poll: `max` in ten minutes, which refill as time passes. */
export class NewJobSetLimit {
  private readonly allowances = new LRUCache<string, TokenBucket>({ max: REMEMBERED });

  constructor(
    readonly max: number,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {}

  /** Whether the caller may poll one more; it then counts. */
  take(caller: string): boolean {
    return this.allowanceOf(caller).take();
  }

  /** What the caller polled was not new after all. */
  giveBack(caller: string): void {
    this.allowanceOf(caller).giveBack();
  }

  private allowanceOf(caller: string): TokenBucket {
    let allowance = this.allowances.get(caller);
    if (allowance === undefined) {
      const rate = { perSecond: this.max / WITHIN_SECONDS, burst: this.max };
      allowance = new TokenBucket(() => rate, this.now);
      this.allowances.set(caller, allowance);
    }
    return allowance;
  }
}
