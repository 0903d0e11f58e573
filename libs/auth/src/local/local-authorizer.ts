import type { AuthSection } from './auth-section.js';
import { parseAuthorization, type PresentedCredential } from '../presented-credential.js';
import { AuthError, type Authorizer, type Credential, type Verdict } from '../authorizer.js';
import { BoundedChecks } from '../bounded-checks.js';
import type { Clock } from '@ajs/platform';
import { credentialDigest } from '../credential-digest.js';
import { CredentialCache } from '../credential-cache.js';
import type { CallerVerifier, VerifiedCaller } from './caller-verifier.js';
import { ANONYMOUS, principal, type Principal } from './principal.js';
import type { QueueGrants } from './queue-grants.js';
import { isGranted, mayWatchAll, type Grantees } from './queue-rights.js';

/** How long the permissions of a queue are cached. Milliseconds. */
const GRANTS_TTL_MS = 10_000;
/** A queue that Armada does not know may be there a moment later. Milliseconds. */
const NO_QUEUE_TTL_MS = 2_000;
const CALLER_LIMITS = {
  unverified: { perSecond: 50, maxConcurrent: 20 },
  verified: { perSecond: 200, maxConcurrent: 100 },
};
const QUEUE_LIMITS = {
  unverified: { perSecond: 100, maxConcurrent: 50 },
  verified: { perSecond: 500, maxConcurrent: 200 },
};

/** One for each scheme; `undefined` where the scheme is not configured. */
export interface CallerVerifiers {
  readonly basic: CallerVerifier<'basic'> | undefined;
  readonly kubernetes: CallerVerifier<'kubernetes'> | undefined;
  readonly bearer: CallerVerifier<'bearer'> | undefined;
}

export interface LocalOptions {
  readonly auth: AuthSection;
  readonly verifiers: CallerVerifiers;
  /** `undefined` where only the rules of the configuration count. */
  readonly queueGrants: QueueGrants | undefined;
  /** How long a verified caller is cached, and a refused one. Milliseconds. */
  readonly verdictTtlMs: number;
  readonly refusalTtlMs: number;
  readonly clock: Clock;
}

/** Decides by our own configuration, and by the permissions of Armada's queues, who callers are and what they may watch. */
export class LocalAuthorizer implements Authorizer {
  private readonly callers: CredentialCache<Principal | AuthError>;
  private readonly queues: CredentialCache<Grantees | 'no-queue'>;
  /** One for each scheme, so that a flood of one locks out nobody who uses another. */
  private readonly callerChecks: Readonly<Record<PresentedCredential['scheme'], BoundedChecks<Principal>>>;
  private readonly queueChecks: BoundedChecks<Grantees | 'no-queue'>;

  constructor(private readonly options: LocalOptions) {
    const { clock } = options;
    this.callers = new CredentialCache(clock);
    this.queues = new CredentialCache(clock);
    this.callerChecks = {
      basic: new BoundedChecks(CALLER_LIMITS, clock),
      kubernetes: new BoundedChecks(CALLER_LIMITS, clock),
      bearer: new BoundedChecks(CALLER_LIMITS, clock),
    };
    this.queueChecks = new BoundedChecks(QUEUE_LIMITS, clock);
  }

  /** One for all credentials of a user. */
  identityOf(credential: Credential): string | undefined {
    if (credential.authorization === undefined) return undefined;
    const verified = this.callers.lastGood(credentialDigest(credential));
    return verified === undefined || verified instanceof AuthError ? undefined : `user ${verified.name}`;
  }

  authenticate(credential: Credential, who: string): void | Promise<void> {
    const caller = this.principalOf(credential, who);
    if (caller instanceof Promise) return caller.then(() => undefined);
  }

  mayWatch(credential: Credential, queue: string, who: string): Verdict | Promise<Verdict> {
    const caller = this.principalOf(credential, who);
    return caller instanceof Promise
      ? caller.then((principal) => this.verdictOn(principal, queue, who))
      : this.verdictOn(caller, queue, who);
  }

  private verdictOn(caller: Principal, queue: string, who: string): Verdict | Promise<Verdict> {
    const { auth, queueGrants } = this.options;
    if (mayWatchAll(auth, caller)) return 'yes';
    if (auth.queueRules.some((rule) => rule.queue === queue && isGranted(rule, caller))) return 'yes';
    if (queueGrants === undefined) return 'no';
    const byGrants = (watchers: Grantees | 'no-queue'): Verdict => {
      if (watchers === 'no-queue') return 'no-queue';
      return isGranted(watchers, caller) ? 'yes' : 'no';
    };
    const watchers = this.queues.get(queue);
    return watchers === undefined
      ? this.readGrants(queue, queueGrants, who).then(byGrants)
      : byGrants(watchers);
  }

  /** In the order of Armada's server: the scheme of the credential first, then anonymous. Rejects with {@link AuthError}. */
  private principalOf(credential: Credential, who: string): Principal | Promise<Principal> {
    const { authorization, certificateName } = credential;
    const { auth, verifiers } = this.options;
    if (authorization !== undefined) {
      const key = credentialDigest(credential);
      const cached = this.callers.get(key);
      if (cached instanceof AuthError) return Promise.reject(cached);
      if (cached !== undefined) return cached;
      const presented = parseAuthorization(authorization);
      const verify = verifierOf(presented, verifiers, who);
      if (verify !== undefined) {
        const check = (): Promise<Principal> => this.verified(key, verify);
        if (presented.scheme === 'basic' && verifiers.basic?.isCheap?.(presented)) return check();
        return this.callerChecks[presented.scheme].run(
          key,
          this.callers.lastGood(key) !== undefined,
          check,
          who,
        );
      }
    } else if (certificateName !== undefined && auth.clientCertificateAuth) {
      return principal(certificateName);
    }
    if (auth.anonymousAuth) return ANONYMOUS;
    return Promise.reject(
      new AuthError(
        'unauthenticated',
        authorization === undefined
          ? 'missing credentials (authorization): this service requires them'
          : 'this service does not support credentials of this kind (authorization)',
      ),
    );
  }

  private async verified(key: string, verify: () => Promise<VerifiedCaller>): Promise<Principal> {
    const { verdictTtlMs, refusalTtlMs, clock } = this.options;
    try {
      const { principal: who, expiresAt } = await verify();
      this.callers.set(key, who, 'good', Math.min(verdictTtlMs, expiresAt - clock.wall()));
      return who;
    } catch (error) {
      if (error instanceof AuthError && error.kind === 'unauthenticated') {
        this.callers.set(key, error, 'bad', refusalTtlMs);
      }
      throw error;
    }
  }

  private readGrants(queue: string, queueGrants: QueueGrants, who: string): Promise<Grantees | 'no-queue'> {
    const read = async (): Promise<Grantees | 'no-queue'> => {
      const watchers = await queueGrants.watchersOf(queue).catch((error: unknown) => {
        throw new AuthError(
          'unavailable',
          `could not read the queue's permissions from Armada: ${(error as Error).message}; try again`,
        );
      });
      if (watchers === undefined) {
        this.queues.set(queue, 'no-queue', 'bad', NO_QUEUE_TTL_MS);
        return 'no-queue';
      }
      this.queues.set(queue, watchers, 'good', GRANTS_TTL_MS);
      return watchers;
    };
    return this.queueChecks.run(queue, this.queues.lastGood(queue) !== undefined, read, who);
  }
}

/** How to verify this credential; `undefined` where its scheme is not configured. */
function verifierOf(
  presented: PresentedCredential,
  { basic, kubernetes, bearer }: CallerVerifiers,
  who: string,
): (() => Promise<VerifiedCaller>) | undefined {
  switch (presented.scheme) {
    case 'basic':
      return basic && (() => basic.verify(presented, who));
    case 'kubernetes':
      return kubernetes && (() => kubernetes.verify(presented, who));
    case 'bearer':
      return bearer && (() => bearer.verify(presented, who));
  }
}
