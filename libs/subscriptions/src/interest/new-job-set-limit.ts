import type { MonotonicTime } from '@ajs/job-state';
import { TokenBucket, monotonicNow } from '@ajs/platform';
import { LRUCache } from 'lru-cache';

const WITHIN_SECONDS = 10 * 60;
const REMEMBERED = 10_000;

/**
 * Bounds how many job sets that nobody asked about before one caller brings in: `most` in ten minutes. Who has used that up has more
 * allowed as time goes on.
 */
export class NewJobSetLimit {
  private readonly allowances = new LRUCache<string, TokenBucket>({ max: REMEMBERED });

  constructor(
    readonly most: number,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {}

  /** Whether the caller may bring one more; it then counts as brought. */
  take(caller: string): boolean {
    return this.allowanceOf(caller).take();
  }

  /** What the caller brought was no newcomer. */
  giveBack(caller: string): void {
    this.allowanceOf(caller).giveBack();
  }

  private allowanceOf(caller: string): TokenBucket {
    let allowance = this.allowances.get(caller);
    if (allowance === undefined) {
      const rate = { perSecond: this.most / WITHIN_SECONDS, burst: this.most };
      allowance = new TokenBucket(() => rate, this.now);
      this.allowances.set(caller, allowance);
    }
    return allowance;
  }
}
