import { MonotonicTime, addMs, msBetween } from '@ajs/job-state';
import type { Clock } from '@ajs/platform';
import { LRUCache } from 'lru-cache';
import { AuthError, type Authorizer, type Credential, type Verdict } from '../authorizer.js';
import { canonicalCredential, expiryOf } from '../presented-credential.js';
import { BoundedChecks } from '../bounded-checks.js';
import { credentialDigest, digestOf } from '../credential-digest.js';
import { CredentialCache, type CachedResult } from '../credential-cache.js';
import type { ArmadaPermissions, ArmadaVerdict } from './armada-permissions.js';
import type { SharedVerdict, SharedVerdicts } from './shared-verdicts.js';

/** A queue that Armada does not know may be there a moment later. Milliseconds. */
const NO_QUEUE_TTL_MS = 2_000;
/** A yes with less than this part of its time to live left is refreshed in the background, so that nobody waits for a slow Armada. */
const REFRESH_AHEAD = 1 / 4;
/** A refresh that gave no verdict is tried again after this time. Milliseconds. */
const REFRESH_AGAIN_MS = 5_000;
const REFRESHES_TRACKED = 10_000;
/** So many can be rejected in 100 s. */
const REJECTIONS_TRACKED = 10_000;
/**
 * A check costs Armada about a millisecond. Each queue that a caller names costs one, whether it exists or not, and a call may name
 * jobs of dozens of queues: a caller's share leaves room for that.
 */
const LIMITS = {
  unverified: { perSecond: 100, maxConcurrent: 50 },
  verified: { perSecond: 500, maxConcurrent: 200 },
};

const LONG_AGO = MonotonicTime(-Infinity);

export interface DelegatedOptions {
  readonly armada: ArmadaPermissions;
  /** `undefined`: verdicts stay in this process. */
  readonly shared: SharedVerdicts | undefined;
  /** How long a yes is cached, and anything else. Milliseconds. */
  readonly verdictTtlMs: number;
  readonly refusalTtlMs: number;
  readonly redisFailed: (error: Error) => void;
  readonly clock: Clock;
}

/**
 * Lets callers watch the queues that Armada lets them watch. Armada is called with the caller's own credentials, or with none where
 * the caller sent none. Its verdicts are cached in memory and shared through Redis, and serve to the end of their time to live
 * while Armada is unavailable.
 */
export class DelegatedAuthorizer implements Authorizer {
  private readonly cached: CredentialCache<ArmadaVerdict>;
  private readonly checks: BoundedChecks<ArmadaVerdict>;
  /** When each verdict was last refreshed ahead of its expiry. */
  private readonly refreshedAt = new LRUCache<string, MonotonicTime>({ max: REFRESHES_TRACKED });
  /** When each credential was last rejected: older verdicts on it no longer count. */
  private readonly rejectedAt = new LRUCache<string, MonotonicTime>({
    max: REJECTIONS_TRACKED,
    dispose: (at, _, reason) => {
      if (reason === 'evict') this.forgottenUntil = at;
    },
  });
  /** Of the rejections until then some were forgotten: any credential may be one of those. */
  private forgottenUntil = LONG_AGO;

  constructor(private readonly options: DelegatedOptions) {
    this.cached = new CredentialCache(options.clock);
    this.checks = new BoundedChecks(LIMITS, options.clock);
  }

  identityOf(credential: Credential): string | undefined {
    const { authorization } = credential;
    if (authorization === undefined || this.cached.lastGood(keyOf(credential, undefined)) === undefined)
      return undefined;
    let identity = identities.get(credential);
    if (identity === undefined)
      identities.set(credential, (identity = digestOf(canonicalCredential(authorization))));
    return identity;
  }

  authenticate(credential: Credential, who: string): void | Promise<void> {
    const found = accepted(credential, this.verdictOf(credential, undefined, who));
    if (found instanceof Promise) return found.then(() => undefined);
  }

  mayWatch(credential: Credential, queue: string, who: string): Verdict | Promise<Verdict> {
    return accepted(credential, this.verdictOf(credential, queue, who));
  }

  private verdictOf(
    credential: Credential,
    queue: string | undefined,
    who: string,
  ): ArmadaVerdict | Promise<ArmadaVerdict> {
    const credentialKey = keyOf(credential, undefined);
    const onCredential = this.cached.entry(credentialKey);
    if (onCredential?.value === 'bad-credentials') return onCredential.value;
    const key = keyOf(credential, queue);
    const cached = queue === undefined ? onCredential : this.cached.entry(key);
    if (cached === undefined || !this.isAfterRejection(credential, cached.cachedAt))
      return this.checks.run(
        key,
        this.cached.lastGood(credentialKey) !== undefined,
        () => this.check(credential, queue),
        who,
      );
    if (cached.value === 'yes') this.refreshAhead(credential, queue, key, cached, who);
    return cached.value;
  }

  /** Refreshes a verdict that expires soon. The old one serves until there is a new one, or until it expires. */
  private refreshAhead(
    credential: Credential,
    queue: string | undefined,
    key: string,
    { expiresAt }: CachedResult<ArmadaVerdict>,
    who: string,
  ): void {
    const { verdictTtlMs, clock } = this.options;
    const now = clock.monotonic();
    const left = msBetween(now, expiresAt);
    const refreshMs = verdictTtlMs * REFRESH_AHEAD;
    if (left >= refreshMs || msBetween(this.refreshedAt.peek(key) ?? LONG_AGO, now) < REFRESH_AGAIN_MS)
      return;
    this.refreshedAt.set(key, now);
    // A verdict expires with its token: there is nothing to refresh.
    if ((expiryOf(credential.authorization) ?? Infinity) - clock.wall() <= left) return;
    // Where it fails, the first caller after the expiry gets the reason.
    this.checks.run(key, true, () => this.check(credential, queue, refreshMs), who).catch(() => undefined);
  }

  /** @param minTtlMs A shared verdict that is valid for less than this does not count */
  private async check(
    credential: Credential,
    queue: string | undefined,
    minTtlMs = 0,
  ): Promise<ArmadaVerdict> {
    const { authorization } = credential;
    const { armada, shared, redisFailed, clock } = this.options;
    const startedAt = clock.monotonic();
    const found = await shared?.find(authorization, queue).catch((error: unknown) => {
      redisFailed(error as Error);
      return undefined;
    });
    if (found !== undefined && found.ttlMs >= minTtlMs && this.isTrustworthy(credential, found)) {
      this.store(credential, queue, found.verdict, found.ttlMs);
      return found.verdict;
    }
    const answer =
      queue === undefined ? armada.authenticates(authorization) : armada.mayWatch(authorization, queue);
    const verdict = await answer.catch((error: unknown) => {
      throw new AuthError(
        'unavailable',
        `could not check your permissions with Armada: ${(error as Error).message}; try again`,
      );
    });
    // Meanwhile the credential was rejected for another queue.
    if (verdict !== 'bad-credentials' && !this.isAfterRejection(credential, startedAt))
      return 'bad-credentials';
    const ttlMs = this.ttlOf(verdict, authorization);
    this.store(credential, queue, verdict, ttlMs);
    if (verdict !== 'no-queue' && ttlMs >= 1) {
      const subject = verdict === 'bad-credentials' ? undefined : queue;
      shared?.share(authorization, subject, { verdict, ttlMs }).catch(redisFailed);
    }
    return verdict;
  }

  /** A verdict on a queue is also one on the credential itself. */
  private store(
    credential: Credential,
    queue: string | undefined,
    verdict: ArmadaVerdict,
    ttlMs: number,
  ): void {
    const credentialKey = keyOf(credential, undefined);
    if (verdict === 'bad-credentials') {
      this.rejectedAt.set(credentialKey, this.options.clock.monotonic());
      this.cached.set(credentialKey, verdict, 'bad', ttlMs);
      return;
    }
    const known = this.cached.entry(credentialKey);
    // A refusal has a shorter time to live, and must not shorten that of its credential.
    if (known?.value !== 'yes' || known.expiresAt < addMs(this.options.clock.monotonic(), ttlMs))
      this.cached.set(credentialKey, 'yes', 'good', ttlMs);
    if (queue !== undefined)
      this.cached.set(keyOf(credential, queue), verdict, verdict === 'yes' ? 'good' : 'bad', ttlMs);
  }

  /** Whether a verdict of that time came after the last rejection of the credential. */
  private isAfterRejection(credential: Credential, verdictAt: MonotonicTime): boolean {
    return verdictAt > (this.rejectedAt.peek(keyOf(credential, undefined)) ?? this.forgottenUntil);
  }

  /**
   * Redis does not say how old a verdict is: at most as old as the longest time to live less what is left of it. A replica with other
   * settings may have given it a longer time: then it is of any age, and lasts longer than it should here.
   */
  private isTrustworthy(credential: Credential, { verdict, ttlMs }: SharedVerdict): boolean {
    const { verdictTtlMs, refusalTtlMs, clock } = this.options;
    const longestMs = verdict === 'yes' ? verdictTtlMs : refusalTtlMs;
    return (
      ttlMs <= longestMs &&
      (verdict === 'bad-credentials' ||
        this.isAfterRejection(credential, addMs(clock.monotonic(), ttlMs - longestMs)))
    );
  }

  /** Whole milliseconds; 0 where the token has expired and Armada still accepted it. */
  private ttlOf(verdict: ArmadaVerdict, authorization: string | undefined): number {
    const { verdictTtlMs, refusalTtlMs, clock } = this.options;
    if (verdict === 'bad-credentials') return refusalTtlMs;
    // A no also says that the credential is valid, and must not outlive it either.
    const left = (expiryOf(authorization) ?? Infinity) - clock.wall();
    const longest = {
      yes: verdictTtlMs,
      no: refusalTtlMs,
      'no-queue': Math.min(NO_QUEUE_TTL_MS, refusalTtlMs),
    };
    return Math.max(0, Math.floor(Math.min(longest[verdict], left)));
  }
}

/** Rejects where Armada rejected the credential. */
function accepted(
  credential: Credential,
  found: ArmadaVerdict | Promise<ArmadaVerdict>,
): Verdict | Promise<Verdict> {
  if (found instanceof Promise) return found.then((verdict) => accepted(credential, verdict));
  return found === 'bad-credentials' ? Promise.reject(badCredentials(credential)) : found;
}

/** Digests of what is the same in all spellings of a credential. */
const identities = new WeakMap<Credential, string>();

function keyOf(credential: Credential, queue: string | undefined): string {
  const digest = credentialDigest(credential);
  return queue === undefined ? digest : `${digest} ${queue}`;
}

function badCredentials({ authorization }: Credential): AuthError {
  return new AuthError(
    'unauthenticated',
    authorization === undefined
      ? 'missing credentials (authorization): Armada requires them'
      : 'Armada rejected your credentials (authorization)',
  );
}
