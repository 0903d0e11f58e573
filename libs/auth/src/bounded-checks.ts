import type { Clock } from '@ajs/platform';
import { LRUCache } from 'lru-cache';
import { CheckGate, type GateLimits } from './check-gate.js';

/** More callers than are active at one time; one that is evicted starts with a full gate. */
const CALLERS_TRACKED = 10_000;

export interface CheckLimits {
  readonly unverified: GateLimits;
  readonly verified: GateLimits;
  /** What one verified caller may take of `verified`; all of it where this is left out. */
  readonly perCaller?: GateLimits;
}

/**
 * Runs checks that somebody else pays for. Concurrent checks of one key share one run, and all are rate limited. Verified keys have
 * a gate of their own, so that a flood of random credentials locks out nobody who was verified before; and no verified caller
 * takes more than its share of it.
 */
export class BoundedChecks<V> {
  private readonly running = new Map<string, Promise<V>>();
  private readonly unverified: CheckGate;
  private readonly verified: CheckGate;
  private readonly perCaller = new LRUCache<string, CheckGate>({ max: CALLERS_TRACKED });

  constructor(
    private readonly limits: CheckLimits,
    private readonly clock: Clock,
  ) {
    this.unverified = new CheckGate(limits.unverified, clock);
    this.verified = new CheckGate(limits.verified, clock);
  }

  /**
   * Runs the check, or joins one of the same key. Rejects with AuthError (`unavailable`) where there are too many.
   *
   * @param caller Whose share a verified check takes; left out where the check is on nobody's behalf in particular
   */
  run(key: string, verified: boolean, check: () => Promise<V>, caller?: string): Promise<V> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const started = verified ? this.runVerified(check, caller) : this.unverified.run(check);
    this.running.set(key, started);
    const ended = (): void => void this.running.delete(key);
    started.then(ended, ended);
    return started;
  }

  private runVerified(check: () => Promise<V>, caller: string | undefined): Promise<V> {
    const { perCaller } = this.limits;
    if (perCaller === undefined || caller === undefined) return this.verified.run(check);
    let gate = this.perCaller.get(caller);
    if (gate === undefined) {
      gate = new CheckGate(
        perCaller,
        this.clock,
        'too many of your calls are waiting for a permission check',
      );
      this.perCaller.set(caller, gate);
    }
    // The caller's own gate comes first: what it refuses takes nothing from others.
    return gate.run(() => this.verified.run(check));
  }
}
