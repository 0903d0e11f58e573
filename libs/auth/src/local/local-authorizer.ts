import type { AuthSection } from './auth-section.js';
import { parseAuthorization, type PresentedCredential } from '../presented-credential.js';
import { AuthError, type Authorizer, type Credential, type Verdict } from '../authorizer.js';
import { BoundedChecks } from '../bounded-checks.js';
import type { Clock } from '@ajs/platform';
import { CredentialCache } from '../credential-cache.js';
import type { CallerVerifier, VerifiedCaller } from './caller-verifier.js';
import { ANONYMOUS, principal, type Principal } from './principal.js';
import type { QueueGrants } from './queue-grants.js';
import { isGranted, mayWatchAll, type Grantees } from './queue-rights.js';

/** What Armada keeps for a queue is at most this old. Milliseconds. */
const GRANTS_MS = 10_000;
/** A queue that Armada does not know may be there a moment later. Milliseconds. */
const NO_QUEUE_MS = 2_000;
const CALLER_LIMITS = {
  unverified: { perSecond: 50, maxConcurrent: 20 },
  verified: { perSecond: 200, maxConcurrent: 100 },
};
const QUEUE_LIMITS = {
  unverified: { perSecond: 100, maxConcurrent: 50 },
  verified: { perSecond: 500, maxConcurrent: 200 },
};

/** The ways in which callers can be known; `undefined` where one is not configured. */
export interface CallerVerifiers {
  readonly basic: CallerVerifier<'basic'> | undefined;
  readonly kubernetes: CallerVerifier<'kubernetes'> | undefined;
  readonly bearer: CallerVerifier<'bearer'> | undefined;
}

export interface LocalOptions {
  readonly auth: AuthSection;
  readonly verifiers: CallerVerifiers;
  /** `undefined`: rules of the configuration are all there is. */
  readonly queueGrants: QueueGrants | undefined;
  /** How long a caller that was verified is believed, and one that was refused stays so. Milliseconds. */
  readonly verdictTtlMs: number;
  readonly refusalTtlMs: number;
  readonly clock: Clock;
}

/** Who callers are and what they may watch is decided here, by the configuration and by what Armada keeps for its queues. */
export class LocalAuthorizer implements Authorizer {
  private readonly callers: CredentialCache<Principal | AuthError>;
  private readonly queues: CredentialCache<Grantees | 'no-queue'>;
  /** One for each way to be known, so that a flood by one keeps out nobody who comes by another. */
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

  authenticate(credential: Credential): void | Promise<void> {
    const who = this.principalOf(credential);
    if (who instanceof Promise) return who.then(() => undefined);
  }

  mayWatch(credential: Credential, queue: string): Verdict | Promise<Verdict> {
    const who = this.principalOf(credential);
    return who instanceof Promise
      ? who.then((principal) => this.verdictOn(principal, queue))
      : this.verdictOn(who, queue);
  }

  private verdictOn(who: Principal, queue: string): Verdict | Promise<Verdict> {
    const { auth, queueGrants: grants } = this.options;
    if (mayWatchAll(auth, who)) return 'yes';
    if (auth.queueRules.some((rule) => rule.queue === queue && isGranted(rule, who))) return 'yes';
    if (grants === undefined) return 'no';
    const byGrants = (watchers: Grantees | 'no-queue'): Verdict => {
      if (watchers === 'no-queue') return 'no-queue';
      return isGranted(watchers, who) ? 'yes' : 'no';
    };
    const watchers = this.queues.get(queue);
    return watchers === undefined ? this.askForQueue(queue, grants).then(byGrants) : byGrants(watchers);
  }

  /** In the order of Armada's server: what the credentials are for, then anonymous. Rejects with {@link AuthError}. */
  private principalOf({ authorization, certificateName }: Credential): Principal | Promise<Principal> {
    const { auth, verifiers: services } = this.options;
    if (authorization !== undefined) {
      const kept = this.callers.get(authorization);
      if (kept instanceof AuthError) return Promise.reject(kept);
      if (kept !== undefined) return kept;
      const shown = parseAuthorization(authorization);
      const verify = verifierOf(shown, services);
      if (verify !== undefined) {
        return this.callerChecks[shown.scheme].run(authorization, this.callers.wasGood(authorization), () =>
          this.verified(authorization, verify),
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

  private async verified(authorization: string, verify: () => Promise<VerifiedCaller>): Promise<Principal> {
    const { verdictTtlMs, refusalTtlMs, clock } = this.options;
    try {
      const { principal: who, expiresAt: until } = await verify();
      this.callers.set(authorization, who, 'good', Math.min(verdictTtlMs, until - clock.wall()));
      return who;
    } catch (error) {
      if (error instanceof AuthError && error.kind === 'unauthenticated') {
        this.callers.set(authorization, error, 'bad', refusalTtlMs);
      }
      throw error;
    }
  }

  private askForQueue(queue: string, grants: QueueGrants): Promise<Grantees | 'no-queue'> {
    return this.queueChecks.run(queue, this.queues.wasGood(queue), async () => {
      const watchers = await grants.watchersOf(queue).catch((error: unknown) => {
        throw new AuthError(
          'unavailable',
          `could not read the queue's permissions from Armada: ${(error as Error).message}; try again`,
        );
      });
      if (watchers === undefined) {
        this.queues.set(queue, 'no-queue', 'bad', NO_QUEUE_MS);
        return 'no-queue';
      }
      this.queues.set(queue, watchers, 'good', GRANTS_MS);
      return watchers;
    });
  }
}

/** How these credentials are verified; `undefined`: not at all here. */
function verifierOf(
  shown: PresentedCredential,
  { basic, kubernetes, bearer }: CallerVerifiers,
): (() => Promise<VerifiedCaller>) | undefined {
  switch (shown.scheme) {
    case 'basic':
      return basic && (() => basic.verify(shown));
    case 'kubernetes':
      return kubernetes && (() => kubernetes.verify(shown));
    case 'bearer':
      return bearer && (() => bearer.verify(shown));
  }
}
