import { createHash } from 'node:crypto';
import { MonotonicTime, addMs, msBetween } from '@ajs/job-state';
import type { Clock } from '@ajs/platform';
import { LRUCache } from 'lru-cache';
import { AuthError, type Authorizer, type Credential, type Verdict } from '../authorizer.js';
import { expiryOf } from '../presented-credential.js';
import { BoundedChecks } from '../bounded-checks.js';
import { CredentialCache, type CachedResult } from '../credential-cache.js';
import type { ArmadaPermissions, ArmadaVerdict } from './armada-permissions.js';
import type { SharedVerdict, SharedVerdicts } from './shared-verdicts.js';

/** A queue that Armada does not know may be there a moment later. Milliseconds. */
const NO_QUEUE_MS = 2_000;
/** A yes with less than this part of its time left is asked for anew aside, so that nobody waits for a slow Armada. */
const AHEAD = 1 / 4;
/** Where that settles nothing it is tried again after so long. Milliseconds. */
const AHEAD_AGAIN_MS = 5_000;
const AHEAD_REMEMBERED = 10_000;
/** Of so many credentials it is remembered when they were refused: more than strangers can show in the minute that a yes lives. */
const REFUSALS_REMEMBERED = 10_000;
/**
 * A check costs Armada about a millisecond. Each queue that a caller names is one, be it there or not, and a call may name jobs of
 * dozens of queues: one caller's share leaves room for that, and for others.
 */
const LIMITS = {
  unverified: { perSecond: 100, maxConcurrent: 50 },
  verified: { perSecond: 500, maxConcurrent: 200 },
  perCaller: { perSecond: 100, maxConcurrent: 50 },
};

const LONG_AGO = MonotonicTime(-Infinity);

export interface DelegatedOptions {
  readonly armada: ArmadaPermissions;
  /** `undefined`: verdicts stay in this process. */
  readonly shared: SharedVerdicts | undefined;
  /** How long a yes holds, and everything else. Milliseconds. */
  readonly verdictTtlMs: number;
  readonly refusalTtlMs: number;
  readonly redisFailed: (error: Error) => void;
  readonly clock: Clock;
}

/**
 * Whom Armada lets watch a queue may watch it here. Armada is asked with the caller's own credentials, or with none where the
 * caller sent none; its verdicts are kept for a time, in memory and shared through Redis. While Armada is away they serve on
 * for their time.
 */
export class DelegatedAuthorizer implements Authorizer {
  private readonly cached: CredentialCache<ArmadaVerdict>;
  private readonly checks: BoundedChecks<ArmadaVerdict>;
  /** When a verdict was last asked for ahead of its end. */
  private readonly refreshedAt = new LRUCache<string, MonotonicTime>({ max: AHEAD_REMEMBERED });
  /** When a credential was last found bad: what was said of it until then counts no more. */
  private readonly rejectedAt = new LRUCache<string, MonotonicTime>({ max: REFUSALS_REMEMBERED });

  constructor(private readonly options: DelegatedOptions) {
    this.cached = new CredentialCache(options.clock);
    this.checks = new BoundedChecks(LIMITS, options.clock);
  }

  authenticate(credential: Credential): void | Promise<void> {
    const found = accepted(credential, this.verdictOf(credential, undefined));
    if (found instanceof Promise) return found.then(() => undefined);
  }

  mayWatch(credential: Credential, queue: string): Verdict | Promise<Verdict> {
    return accepted(credential, this.verdictOf(credential, queue));
  }

  private verdictOf(
    credential: Credential,
    queue: string | undefined,
  ): ArmadaVerdict | Promise<ArmadaVerdict> {
    const credentialKey = keyOf(credential, undefined);
    const ofCredential = this.cached.entry(credentialKey);
    if (ofCredential?.value === 'bad-credentials') return ofCredential.value;
    const key = keyOf(credential, queue);
    const kept = queue === undefined ? ofCredential : this.cached.entry(key);
    if (kept === undefined || !this.isAfterRejection(credential, kept.cachedAt))
      return this.checks.run(
        key,
        this.cached.wasGood(credentialKey),
        () => this.check(credential, queue),
        credentialKey,
      );
    if (kept.value === 'yes') this.refreshAhead(credential, queue, key, kept);
    return kept.value;
  }

  /** Asks for a verdict anew whose time is nearly over. The old one serves until there is another, or for its time. */
  private refreshAhead(
    credential: Credential,
    queue: string | undefined,
    key: string,
    { expiresAt: until }: CachedResult<ArmadaVerdict>,
  ): void {
    const { verdictTtlMs, clock } = this.options;
    const now = clock.monotonic();
    const left = msBetween(now, until);
    const aheadMs = verdictTtlMs * AHEAD;
    if (left >= aheadMs || msBetween(this.refreshedAt.peek(key) ?? LONG_AGO, now) < AHEAD_AGAIN_MS) return;
    this.refreshedAt.set(key, now);
    // The end of a token is the end of what was said of it.
    if ((expiryOf(credential.authorization) ?? Infinity) - clock.wall() <= left) return;
    // Whoever comes when the time is over is told why there is no other.
    this.checks
      .run(key, true, () => this.check(credential, queue, aheadMs), keyOf(credential, undefined))
      .catch(() => undefined);
  }

  /** @param leastMs what others have found is not enough where it holds for less than this */
  private async check(
    credential: Credential,
    queue: string | undefined,
    leastMs = 0,
  ): Promise<ArmadaVerdict> {
    const { authorization } = credential;
    const { armada, shared, redisFailed, clock } = this.options;
    const begunAt = clock.monotonic();
    const known = await shared?.find(authorization, queue).catch((error: unknown) => {
      redisFailed(error as Error);
      return undefined;
    });
    if (known !== undefined && known.ttlMs >= leastMs && this.isTrustworthy(credential, known)) {
      this.store(credential, queue, known.verdict, known.ttlMs);
      return known.verdict;
    }
    const asked =
      queue === undefined ? armada.authenticates(authorization) : armada.mayWatch(authorization, queue);
    const verdict = await asked.catch((error: unknown) => {
      throw new AuthError(
        'unavailable',
        `could not check your permissions with Armada: ${(error as Error).message}; try again`,
      );
    });
    // The credential was found bad meanwhile, for another queue.
    if (verdict !== 'bad-credentials' && !this.isAfterRejection(credential, begunAt))
      return 'bad-credentials';
    const forMs = this.ttlOf(verdict, authorization);
    this.store(credential, queue, verdict, forMs);
    if (verdict !== 'no-queue' && forMs >= 1) {
      const subject = verdict === 'bad-credentials' ? undefined : queue;
      shared?.share(authorization, subject, { verdict, ttlMs: forMs }).catch(redisFailed);
    }
    return verdict;
  }

  /** A verdict on a queue says of the credential, too, whether it is somebody's. */
  private store(
    credential: Credential,
    queue: string | undefined,
    verdict: ArmadaVerdict,
    forMs: number,
  ): void {
    const credentialKey = keyOf(credential, undefined);
    if (verdict === 'bad-credentials') {
      this.rejectedAt.set(credentialKey, this.options.clock.monotonic());
      this.cached.set(credentialKey, verdict, 'bad', forMs);
      return;
    }
    const known = this.cached.entry(credentialKey);
    // A refusal is kept for a shorter time, and takes none from what is known of its credential.
    if (known?.value !== 'yes' || known.expiresAt < addMs(this.options.clock.monotonic(), forMs))
      this.cached.set(credentialKey, 'yes', 'good', forMs);
    if (queue !== undefined)
      this.cached.set(keyOf(credential, queue), verdict, verdict === 'yes' ? 'good' : 'bad', forMs);
  }

  /** Whether what was found out then came after the last time that the credential was found bad. */
  private isAfterRejection(credential: Credential, foundAt: MonotonicTime): boolean {
    return foundAt > (this.rejectedAt.peek(keyOf(credential, undefined)) ?? LONG_AGO);
  }

  /** Redis does not say how old a verdict is. It is no older than what is gone of the longest time that one is kept. */
  private isTrustworthy(credential: Credential, { verdict, ttlMs: forMs }: SharedVerdict): boolean {
    const { verdictTtlMs, clock } = this.options;
    return (
      verdict === 'bad-credentials' ||
      this.isAfterRejection(credential, addMs(clock.monotonic(), forMs - verdictTtlMs))
    );
  }

  /** Whole milliseconds; 0 where the token has ended and Armada took it still. */
  private ttlOf(verdict: ArmadaVerdict, authorization: string | undefined): number {
    const { verdictTtlMs, refusalTtlMs, clock } = this.options;
    if (verdict === 'bad-credentials') return refusalTtlMs;
    // A no says, too, that the credential is somebody's, and must not outlive it either.
    const left = (expiryOf(authorization) ?? Infinity) - clock.wall();
    const most = { yes: verdictTtlMs, no: refusalTtlMs, 'no-queue': Math.min(NO_QUEUE_MS, refusalTtlMs) };
    return Math.max(0, Math.floor(Math.min(most[verdict], left)));
  }
}

/** Rejects where Armada does not accept the credential. */
function accepted(
  credential: Credential,
  found: ArmadaVerdict | Promise<ArmadaVerdict>,
): Verdict | Promise<Verdict> {
  if (found instanceof Promise) return found.then((verdict) => accepted(credential, verdict));
  return found === 'bad-credentials' ? Promise.reject(badCredentials(credential)) : found;
}

const digests = new WeakMap<Credential, string>();

/** No credential is kept here, nor compared again and again: they are long. */
function keyOf(credential: Credential, queue: string | undefined): string {
  let digest = digests.get(credential);
  if (digest === undefined) {
    digest = createHash('sha256')
      .update(credential.authorization ?? '')
      .digest('base64');
    digests.set(credential, digest);
  }
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
