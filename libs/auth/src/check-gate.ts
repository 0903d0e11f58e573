import { AuthError } from './authorizer.js';
import type { Clock } from './clock.js';

export interface GateLimits {
  readonly perSecond: number;
  readonly atOnce: number;
}

/** Bounds checks that cost somebody else: so many a second (a second's worth may come at once), so many at a time. */
export class CheckGate {
  private readonly clock: Clock;
  private running = 0;
  private allowed: number;
  private countedAt: number;

  constructor(
    private readonly limits: GateLimits,
    clock: Clock,
    /** What there is too much of, for people: a clause. */
    private readonly tooMany = 'too many credentials are being checked just now',
  ) {
    this.clock = clock;
    this.allowed = limits.perSecond;
    this.countedAt = clock.monotonic();
  }

  /** Runs a check. Rejects with {@link AuthError} (`unavailable`) at once where there are too many. */
  async run<T>(check: () => Promise<T>): Promise<T> {
    const { perSecond, atOnce } = this.limits;
    const now = this.clock.monotonic();
    this.allowed = Math.min(perSecond, this.allowed + ((now - this.countedAt) / 1000) * perSecond);
    this.countedAt = now;
    if (this.running >= atOnce || this.allowed < 1) {
      throw new AuthError('unavailable', `${this.tooMany}; try again`);
    }
    this.allowed--;
    this.running++;
    try {
      return await check();
    } finally {
      this.running--;
    }
  }
}
