import type { Clock } from '@ajs/platform';
import { CheckGate, type GateLimits } from './check-gate.js';

export interface CheckLimits {
  readonly unverified: GateLimits;
  readonly verified: GateLimits;
}

/**
 * Runs checks that somebody else pays for. Concurrent checks of one key share one run, and all are limited, in total and by caller.
 * Verified keys have a gate of their own, so that a flood of random credentials locks out nobody who was verified before.
 */
export class BoundedChecks<V> {
  private readonly running = new Map<string, Promise<V>>();
  private readonly unverified: CheckGate;
  private readonly verified: CheckGate;

  constructor(limits: CheckLimits, clock: Clock) {
    this.unverified = new CheckGate(limits.unverified, clock);
    this.verified = new CheckGate(limits.verified, clock);
  }

  /**
   * Runs the check, or joins one of the same key. Rejects with AuthError (`unavailable`) where there are too many.
   *
   * @param who Whose share the check takes
   */
  run(key: string, verified: boolean, check: () => Promise<V>, who: string): Promise<V> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const started = (verified ? this.verified : this.unverified).run(who, check);
    this.running.set(key, started);
    const ended = (): void => void this.running.delete(key);
    started.then(ended, ended);
    return started;
  }
}
