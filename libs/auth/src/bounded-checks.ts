import { LRUCache } from 'lru-cache';
import { CheckGate, type GateLimits } from './check-gate.js';
import type { Clock } from '@ajs/platform';

/** More than are busy at one time; who is pushed out begins its share anew. */
const SHARES = 10_000;

export interface CheckLimits {
  readonly unverified: GateLimits;
  readonly verified: GateLimits;
  /** What one of those who are known may take of `known`; where it is left out: all of it. */
  readonly perCaller?: GateLimits;
}

/**
 * Checks of callers: those of one thing at one time are one, and all are bounded. Credentials that were good before have a gate
 * of their own, so that a flood of random ones keeps nobody out who is known; and one of them takes no more than its share of it.
 */
export class BoundedChecks<V> {
  private readonly running = new Map<string, Promise<V>>();
  private readonly unverified: CheckGate;
  private readonly verified: CheckGate;
  private readonly perCaller = new LRUCache<string, CheckGate>({ max: SHARES });

  constructor(
    private readonly limits: CheckLimits,
    private readonly clock: Clock,
  ) {
    this.unverified = new CheckGate(limits.unverified, clock);
    this.verified = new CheckGate(limits.verified, clock);
  }

  /** @param who whose share it takes, if known; where it is left out, `key` is checked for everybody */
  run(key: string, known: boolean, check: () => Promise<V>, who?: string): Promise<V> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const begun = known ? this.runVerified(check, who) : this.unverified.run(check);
    this.running.set(key, begun);
    const ended = (): void => void this.running.delete(key);
    begun.then(ended, ended);
    return begun;
  }

  private runVerified(check: () => Promise<V>, who: string | undefined): Promise<V> {
    const { perCaller: each } = this.limits;
    if (each === undefined || who === undefined) return this.verified.run(check);
    const share =
      this.perCaller.get(who) ??
      new CheckGate(each, this.clock, 'too many of your calls are waiting for a permission check');
    this.perCaller.set(who, share);
    // First, so that what is beyond the share takes nothing from others.
    return share.run(() => this.verified.run(check));
  }
}
