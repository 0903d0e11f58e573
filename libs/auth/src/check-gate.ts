import { addMs, type MonotonicTime } from '@ajs/job-state';
import { FairShares, type Clock } from '@ajs/platform';
import { AuthError } from './authorizer.js';

export interface GateLimits {
  readonly perSecond: number;
  readonly maxConcurrent: number;
}

/**
 * Limits checks that somebody else pays for, in rate (a second's worth may come at once) and in number at one time. Of both, a caller
 * gets at most its fair share: a check takes one of the second's for a second.
 */
export class CheckGate {
  private readonly running: FairShares;
  private readonly recent: FairShares;
  /** What was taken of {@link recent}, in the order of its end. */
  private readonly ends: { readonly who: string; readonly at: MonotonicTime }[] = [];

  constructor(
    limits: GateLimits,
    private readonly clock: Clock,
  ) {
    this.running = new FairShares(limits.maxConcurrent);
    this.recent = new FairShares(limits.perSecond);
  }

  /** Runs a check on behalf of `who`. Rejects with {@link AuthError} (`unavailable`) at once where there are too many. */
  async run<T>(who: string, check: () => Promise<T>): Promise<T> {
    const now = this.clock.monotonic();
    this.releaseUntil(now);
    if (!this.running.take(who)) throw tooMany(this.running);
    if (!this.recent.take(who)) {
      this.running.release(who);
      throw tooMany(this.recent);
    }
    this.ends.push({ who, at: addMs(now, 1_000) });
    try {
      return await check();
    } finally {
      this.running.release(who);
    }
  }

  private releaseUntil(now: MonotonicTime): void {
    for (let end = this.ends[0]; end !== undefined && end.at <= now; end = this.ends[0]) {
      this.ends.shift();
      this.recent.release(end.who);
    }
  }
}

function tooMany({ free }: FairShares): AuthError {
  const whose =
    free > 0 ? 'too many credentials and permissions of yours' : 'too many credentials and permissions';
  return new AuthError('unavailable', `${whose} are being checked right now; try again`);
}
