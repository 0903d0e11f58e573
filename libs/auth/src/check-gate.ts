import { TokenBucket, type Clock } from '@ajs/platform';
import { AuthError } from './authorizer.js';

export interface GateLimits {
  readonly perSecond: number;
  readonly maxConcurrent: number;
}

/** Limits checks that somebody else pays for, in rate (a second's worth may come at once) and in number at one time. */
export class CheckGate {
  private readonly bucket: TokenBucket;
  private running = 0;

  constructor(
    private readonly limits: GateLimits,
    clock: Clock,
    /** Why a check is refused, for people: a clause. */
    private readonly tooMany = 'too many credentials are being checked right now',
  ) {
    const rate = { perSecond: limits.perSecond, burst: limits.perSecond };
    this.bucket = new TokenBucket(
      () => rate,
      () => clock.monotonic(),
    );
  }

  /** Runs a check. Rejects with {@link AuthError} (`unavailable`) at once where there are too many. */
  async run<T>(check: () => Promise<T>): Promise<T> {
    if (this.running >= this.limits.maxConcurrent || !this.bucket.take()) {
      throw new AuthError('unavailable', `${this.tooMany}; try again`);
    }
    this.running++;
    try {
      return await check();
    } finally {
      this.running--;
    }
  }
}
