import { CheckGate, type GateLimits } from './check-gate.js';
import type { Clock } from './clock.js';

/**
 * Checks of callers: those of one thing at one time are one, and all are bounded. Credentials that were good before have a gate
 * of their own, so that a flood of random ones keeps nobody out who is known.
 */
export class Checks<V> {
  private readonly running = new Map<string, Promise<V>>();
  private readonly strangers: CheckGate;
  private readonly acquaintances: CheckGate;

  constructor(limits: { readonly strangers: GateLimits; readonly known: GateLimits }, clock: Clock) {
    this.strangers = new CheckGate(limits.strangers, clock);
    this.acquaintances = new CheckGate(limits.known, clock);
  }

  run(key: string, known: boolean, check: () => Promise<V>): Promise<V> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const begun = (known ? this.acquaintances : this.strangers).run(check);
    this.running.set(key, begun);
    const ended = (): void => void this.running.delete(key);
    begun.then(ended, ended);
    return begun;
  }
}
