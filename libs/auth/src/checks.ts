import { LRUCache } from 'lru-cache';
import { CheckGate, type GateLimits } from './check-gate.js';
import type { Clock } from '@ajs/platform';

/** More than are busy at one time; who is pushed out begins its share anew. */
const SHARES = 10_000;

export interface ChecksLimits {
  readonly strangers: GateLimits;
  readonly known: GateLimits;
  /** What one of those who are known may take of `known`; where it is left out: all of it. */
  readonly each?: GateLimits;
}

/**
 * Checks of callers: those of one thing at one time are one, and all are bounded. Credentials that were good before have a gate
 * of their own, so that a flood of random ones keeps nobody out who is known; and one of them takes no more than its share of it.
 */
export class Checks<V> {
  private readonly running = new Map<string, Promise<V>>();
  private readonly strangers: CheckGate;
  private readonly acquaintances: CheckGate;
  private readonly shares = new LRUCache<string, CheckGate>({ max: SHARES });

  constructor(
    private readonly limits: ChecksLimits,
    private readonly clock: Clock,
  ) {
    this.strangers = new CheckGate(limits.strangers, clock);
    this.acquaintances = new CheckGate(limits.known, clock);
  }

  /** @param who whose share it takes, if known; where it is left out, `key` is checked for everybody */
  run(key: string, known: boolean, check: () => Promise<V>, who?: string): Promise<V> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const begun = known ? this.runKnown(check, who) : this.strangers.run(check);
    this.running.set(key, begun);
    const ended = (): void => void this.running.delete(key);
    begun.then(ended, ended);
    return begun;
  }

  private runKnown(check: () => Promise<V>, who: string | undefined): Promise<V> {
    const { each } = this.limits;
    if (each === undefined || who === undefined) return this.acquaintances.run(check);
    const share =
      this.shares.get(who) ??
      new CheckGate(each, this.clock, 'too many of your calls are waiting for a permission check');
    this.shares.set(who, share);
    // First, so that what is beyond the share takes nothing from others.
    return share.run(() => this.acquaintances.run(check));
  }
}
