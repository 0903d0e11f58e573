import { addMs, msBetween, type MonotonicTime } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';
import { CredentialError, type ArmadaIdentity } from './identity.js';
import type { Token, TokenSource } from './token.js';

/** The assumed lifetime of a token that does not say when it expires. Milliseconds. */
const ASSUMED_LIFETIME_MS = 60_000;
/** A token is renewed no later than this before it expires, if it lives long enough. Milliseconds. */
const RENEW_AHEAD_MS = 60_000;
/** Timers overflow after about 24.8 days; a token that lives longer is renewed every day. Milliseconds. */
const MAX_DELAY_MS = 86_400_000;
/** A token that is refused sooner is kept: Armada would refuse a new one as well, so fetching it would only add load. Milliseconds. */
const MIN_AGE_TO_DROP_MS = 5_000;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

export interface RenewalObserver {
  renewed(): void;
  /** `stillValid`: the current token has not expired, so that calls go on. */
  failed(error: CredentialError, stillValid: boolean): void;
}

export interface RenewedIdentityOptions {
  readonly source: TokenSource;
  /**
   * - `ahead`: the token is replaced before it expires, whether calls are made or not.
   * - `on-demand`: the first call after the token expired fetches the next one and waits for it.
   */
  readonly renew: 'ahead' | 'on-demand';
  readonly observer: RenewalObserver;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

interface CurrentToken {
  readonly token: Token;
  readonly obtainedAt: MonotonicTime;
  /** As its issuer dates it and our clock was when it came: that may be set since. */
  readonly expiresAt: MonotonicTime;
  refused: boolean;
}

/**
 * One token for all calls of the process, replaced before it expires. All callers share one fetch. While the next token cannot be
 * fetched, the current one is used until it expires; the fetch is retried after 1 s, 2 s and so on up to 30 s, and no call
 * retries it sooner.
 */
export class RenewedIdentity implements ArmadaIdentity {
  private current: CurrentToken | undefined;
  private fetching: Promise<CurrentToken> | undefined;
  private failures = 0;
  /** Until when no call tries again, and why. */
  private failure: { readonly error: CredentialError; readonly until: MonotonicTime } | undefined;
  private cancelTimer = (): void => undefined;
  private readonly closing = new AbortController();
  private readonly clock: Clock;
  private readonly random: () => number;

  constructor(private readonly options: RenewedIdentityOptions) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
  }

  async authorization(): Promise<string> {
    const valid = this.validToken();
    if (valid !== undefined && !valid.refused) return valid.token.authorization;
    try {
      return (await this.renew()).token.authorization;
    } catch (error) {
      const stillValid = this.validToken();
      if (stillValid === undefined) throw error;
      return stillValid.token.authorization;
    }
  }

  refused(authorization: string): void {
    const { current } = this;
    if (current?.token.authorization !== authorization) return;
    current.refused ||= msBetween(current.obtainedAt, this.clock.monotonic()) >= MIN_AGE_TO_DROP_MS;
  }

  close(): void {
    this.cancelTimer();
    this.closing.abort();
  }

  /** The current token, unless it has expired. */
  private validToken(): CurrentToken | undefined {
    return this.current !== undefined && this.clock.monotonic() < this.current.expiresAt
      ? this.current
      : undefined;
  }

  private renew(): Promise<CurrentToken> {
    const { fetching, failure } = this;
    return fetching === undefined && failure !== undefined && this.clock.monotonic() < failure.until
      ? Promise.reject(failure.error)
      : this.fetchOnce();
  }

  private fetchOnce(): Promise<CurrentToken> {
    return (this.fetching ??= this.fetch().finally(() => (this.fetching = undefined)));
  }

  private async fetch(): Promise<CurrentToken> {
    const { source, observer } = this.options;
    try {
      const token = await source.fetch(this.closing.signal);
      const lifetime =
        token.expiresAt === undefined ? ASSUMED_LIFETIME_MS : token.expiresAt - this.clock.wall();
      if (lifetime <= 0) throw new Error('received an expired token; check for clock skew');
      this.failures = 0;
      const obtainedAt = this.clock.monotonic();
      this.current = { token, obtainedAt, expiresAt: addMs(obtainedAt, lifetime), refused: false };
      this.scheduleRenewal(this.renewalDelay(lifetime));
      observer.renewed();
      return this.current;
    } catch (cause) {
      const error = new CredentialError(source.where, (cause as Error).message);
      if (this.closing.signal.aborted) throw error;
      const backoff =
        Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.failures) * (1 - this.random() / 2);
      this.failures++;
      this.failure = { error, until: addMs(this.clock.monotonic(), backoff) };
      this.scheduleRenewal(backoff);
      observer.failed(error, this.validToken() !== undefined);
      throw error;
    }
  }

  /**
   * After half of the lifetime, or a minute before its end if that is sooner, but never before a quarter of it. Up to a tenth sooner,
   * so that replicas that started together do not renew together.
   */
  private renewalDelay(lifetime: number): number {
    const delay = Math.max(lifetime / 4, Math.min(lifetime / 2, lifetime - RENEW_AHEAD_MS));
    return Math.min(delay, MAX_DELAY_MS) * (1 - this.random() / 10);
  }

  private scheduleRenewal(ms: number): void {
    this.cancelTimer();
    if (this.options.renew === 'on-demand' || this.closing.signal.aborted) return;
    this.cancelTimer = this.clock.after(ms, () => {
      // Where it fails, the observer has been notified, and the next attempt is scheduled.
      this.fetchOnce().catch(() => undefined);
    });
  }
}
