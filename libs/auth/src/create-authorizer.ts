import type { Settings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import { AnonymousAuthorizer } from './anonymous-authorizer.js';
import type { Authorizer } from './authorizer.js';
import { systemClock, type Clock } from '@ajs/platform';
import type { ArmadaPermissions } from './delegated/armada-permissions.js';
import { DelegatedAuthorizer } from './delegated/delegated-authorizer.js';
import { SharedVerdicts } from './delegated/shared-verdicts.js';
import { parseAuthSection } from './local/auth-section.js';
import { BasicUserVerifier } from './local/basic-user-verifier.js';
import { KubernetesTokenVerifier } from './local/kubernetes-token-verifier.js';
import { LocalAuthorizer } from './local/local-authorizer.js';
import { OpenIdTokenVerifier } from './local/openid-token-verifier.js';
import type { QueueGrants } from './local/queue-grants.js';

export interface AuthorizerParts {
  readonly settings: Pick<
    Settings,
    'authMode' | 'authVerdictTtlMs' | 'authRefusalTtlMs' | 'authCacheSecret' | 'auth'
  >;
  /** The environment in which `passwordEnv` is looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called with callers' credentials only. */
  readonly armada: ArmadaPermissions;
  /** Read under our own identity. */
  readonly grants: QueueGrants;
  /** A `reader`. */
  readonly redis: RedisClient;
  readonly redisFailed: (error: Error) => void;
  /** Takes the warning at the start where callers may be anonymous. */
  readonly warn: (text: string) => void;
}

/** Node's HTTP/2 drops such a header and says so nowhere: the call looks as one that had none. */
const ANONYMOUS_WARNING =
  'auth.anonymousAuth is true: gRPC callers without credentials are anonymous, and so are those whose authorization holds control characters or begins or ends with a blank';

/**
 * Whether these settings admit callers without credentials. With `delegated` Armada decides, and nobody tells us. Throws SettingsError
 * where the section `auth` is invalid.
 */
export function admitsAnonymous({ authMode, auth }: AuthorizerParts['settings']): boolean {
  return authMode === 'anonymous' || (authMode === 'local' && parseAuthSection(auth).anonymousAuth);
}

/** The authorizer that AUTH_MODE selects. Throws SettingsError where the section `auth` is invalid, or a password it names unreadable. */
export function createAuthorizer(parts: AuthorizerParts, clock: Clock = systemClock): Authorizer {
  const { settings, env, armada, grants, redis, redisFailed, warn } = parts;
  const common = {
    verdictTtlMs: settings.authVerdictTtlMs,
    refusalTtlMs: settings.authRefusalTtlMs,
    clock,
  };
  switch (settings.authMode) {
    case 'anonymous':
      warn('AUTH_MODE is anonymous: anyone who can reach this process can read the state of every job');
      return new AnonymousAuthorizer();
    case 'delegated': {
      const secret = settings.authCacheSecret;
      const shared = secret === '' ? undefined : new SharedVerdicts(redis, secret);
      return new DelegatedAuthorizer({ ...common, armada, shared, redisFailed });
    }
    case 'local': {
      const auth = parseAuthSection(settings.auth);
      const { basicAuth, kubernetesAuth, openIdAuth } = auth;
      const verifiers = {
        basic: basicAuth && new BasicUserVerifier(basicAuth, env),
        kubernetes: kubernetesAuth && new KubernetesTokenVerifier(kubernetesAuth),
        bearer: openIdAuth && new OpenIdTokenVerifier(openIdAuth, clock),
      };
      if (auth.anonymousAuth) warn(ANONYMOUS_WARNING);
      const queueGrants = auth.queuePermissionsFromArmada ? grants : undefined;
      return new LocalAuthorizer({ ...common, auth, verifiers, queueGrants });
    }
  }
}
