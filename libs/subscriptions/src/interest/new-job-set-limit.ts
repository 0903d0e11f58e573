import { LRUCache } from 'lru-cache';

const WITHIN_MS = 10 * 60_000;
const REMEMBERED = 10_000;

interface Allowance {
  readonly left: number;
  readonly at: number;
}

/**
 * Bounds how many job sets that nobody asked about before one caller brings in: `most` in ten minutes. Who has used that up has more
 * allowed as time goes on.
 */
export class NewJobSetLimit {
  private readonly allowances = new LRUCache<string, Allowance>({ max: REMEMBERED });

  constructor(
    readonly most: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Whether the caller may bring one more; it then counts as brought. */
  take(caller: string): boolean {
    const left = this.leftOf(caller);
    this.allowances.set(caller, { left: left >= 1 ? left - 1 : left, at: this.now() });
    return left >= 1;
  }

  /** What the caller brought was no newcomer. */
  giveBack(caller: string): void {
    this.allowances.set(caller, { left: Math.min(this.most, this.leftOf(caller) + 1), at: this.now() });
  }

  private leftOf(caller: string): number {
    const allowance = this.allowances.get(caller);
    if (allowance === undefined) return this.most;
    return Math.min(this.most, allowance.left + ((this.now() - allowance.at) / WITHIN_MS) * this.most);
  }
}
