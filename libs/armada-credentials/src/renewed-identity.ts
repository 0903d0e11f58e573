import { systemClock, type Clock } from '@ajs/platform';
import { CredentialError, type ArmadaIdentity } from './identity.js';
import type { Token, TokenSource } from './token.js';

/** A token of which nobody says when it ends is taken to end after this time. Milliseconds. */
const ASSUMED_LIFE_MS = 60_000;
/** No token is renewed later than this before its end, if its life is long enough. Milliseconds. */
const AHEAD_MS = 60_000;
/** A timer does not wait longer than about 24.8 days; a token that lives longer is renewed each day. Milliseconds. */
const LONGEST_WAIT_MS = 86_400_000;
/** Armada refuses even a new token where it knows nothing of us: then a new one does not help, and is not asked for more often. */
const LEAST_AGE_TO_DROP_MS = 5_000;
const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 30_000;

export interface RenewalObserver {
  renewed(): void;
  /** `serving`: the token before it is still good, so that nobody notices yet. */
  failed(error: CredentialError, serving: boolean): void;
}

export interface RenewedIdentityOptions {
  readonly source: TokenSource;
  /**
   * - `ahead`: once there is a token, the next is fetched before it ends, whether calls are made or not.
   * - `on-demand`: a call finds the token ended and waits for the next.
   */
  readonly renew: 'ahead' | 'on-demand';
  readonly observer: RenewalObserver;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

interface CurrentToken {
  readonly token: Token;
  readonly obtainedAt: number;
  readonly expiresAt: number;
  refused: boolean;
}

/**
 * One token for all calls of the process, replaced while it is good. There is one fetch at a time, whoever waits for it. A token
 * serves to its end while the next cannot be had; that is tried again after 1 s, 2 s and so on to 30 s, and nobody's call asks
 * for it sooner.
 */
export class RenewedIdentity implements ArmadaIdentity {
  private current: CurrentToken | undefined;
  private fetching: Promise<CurrentToken> | undefined;
  private failures = 0;
  private notBefore = 0;
  private lastError: CredentialError | undefined;
  private cancelTimer = (): void => undefined;
  private readonly closing = new AbortController();
  private readonly clock: Clock;
  private readonly random: () => number;

  constructor(private readonly options: RenewedIdentityOptions) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
  }

  async authorization(): Promise<string> {
    const valid = this.good();
    if (valid !== undefined && !valid.refused) return valid.token.authorization;
    try {
      return (await this.renew()).token.authorization;
    } catch (error) {
      const still = this.good();
      if (still === undefined) throw error;
      return still.token.authorization;
    }
  }

  refused(authorization: string): void {
    const { current: held } = this;
    if (held?.token.authorization !== authorization) return;
    held.refused ||= this.clock.wall() - held.obtainedAt >= LEAST_AGE_TO_DROP_MS;
  }

  close(): void {
    this.cancelTimer();
    this.closing.abort();
  }

  /** The token that has not ended. */
  private good(): CurrentToken | undefined {
    return this.current !== undefined && this.clock.wall() < this.current.expiresAt
      ? this.current
      : undefined;
  }

  private renew(): Promise<CurrentToken> {
    if (this.fetching !== undefined) return this.fetching;
    if (this.lastError !== undefined && this.clock.wall() < this.notBefore)
      return Promise.reject(this.lastError);
    this.fetching = this.fetch().finally(() => (this.fetching = undefined));
    return this.fetching;
  }

  private async fetch(): Promise<CurrentToken> {
    const { source, observer } = this.options;
    try {
      const token = await source.fetch(this.closing.signal);
      const since = this.clock.wall();
      const endsAt = token.expiresAt ?? since + ASSUMED_LIFE_MS;
      if (endsAt <= since) throw new Error('received an expired token; check for clock skew');
      this.failures = 0;
      this.lastError = undefined;
      this.current = { token, obtainedAt: since, expiresAt: endsAt, refused: false };
      this.scheduleRenewal(this.renewalDelay(endsAt - since));
      observer.renewed();
      return this.current;
    } catch (cause) {
      const error = new CredentialError(source.where, (cause as Error).message);
      if (this.closing.signal.aborted) throw error;
      const backoff =
        Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.failures) * (1 - this.random() / 2);
      this.failures++;
      this.lastError = error;
      this.notBefore = this.clock.wall() + backoff;
      this.scheduleRenewal(backoff);
      observer.failed(error, this.good() !== undefined);
      throw error;
    }
  }

  /**
   * The half of its life, or all of it but a minute, whichever is sooner; yet not at once, where it does not live for a minute. Up to
   * a tenth sooner than that, for replicas that started together.
   */
  private renewalDelay(life: number): number {
    const wait = Math.max(life / 4, Math.min(life / 2, life - AHEAD_MS));
    return Math.min(wait, LONGEST_WAIT_MS) * (1 - this.random() / 10);
  }

  private scheduleRenewal(ms: number): void {
    this.cancelTimer();
    if (this.options.renew === 'on-demand' || this.closing.signal.aborted) return;
    this.cancelTimer = this.clock.after(ms, () => {
      // The observer was told; the next try is set.
      this.renew().catch(() => undefined);
    });
  }
}
