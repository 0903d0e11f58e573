import { SettingsError, type Settings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import { AnonymousAuthorizer } from './anonymous-authorizer.js';
import type { Authorizer } from './authorizer.js';
import { systemClock, type Clock } from '@ajs/platform';
import type { ArmadaPermissions } from './delegated/armada-permissions.js';
import { DelegatedAuthorizer } from './delegated/delegated-authorizer.js';
import { SharedVerdicts } from './delegated/shared-verdicts.js';
import { parseAuthSection, type AuthSection } from './local/auth-section.js';
import { BasicUserVerifier } from './local/basic-user-verifier.js';
import { KubernetesTokenVerifier } from './local/kubernetes-token-verifier.js';
import { LocalAuthorizer, type CallerVerifiers } from './local/local-authorizer.js';
import { OpenIdTokenVerifier } from './local/openid-token-verifier.js';
import type { QueueGrants } from './local/queue-grants.js';

/** Where `passwordEnv` is looked up. */
type Environment = Readonly<Record<string, string | undefined>>;

export interface AuthorizerParts {
  readonly settings: Pick<
    Settings,
    'authMode' | 'authVerdictTtlMs' | 'authRefusalTtlMs' | 'authCacheSecret' | 'auth'
  >;
  readonly env: Environment;
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
 * Whether these settings admit callers without credentials. With `delegated` Armada decides, and no setting says. Throws SettingsError
 * where the section `auth` is invalid.
 */
export function admitsAnonymous({ authMode, auth }: AuthorizerParts['settings']): boolean {
  return authMode === 'anonymous' || (authMode === 'local' && parseAuthSection(auth).anonymousAuth);
}

/**
 * Throws SettingsError for what is wrong with the settings of callers: the section `auth`, the passwords and files that it names, and
 * settings that contradict each other. Calls nobody.
 */
export function checkAuthSettings(
  { authMode, auth, queryTlsClientCaFile }: Pick<Settings, 'authMode' | 'auth' | 'queryTlsClientCaFile'>,
  env: Environment,
): void {
  if (authMode === 'local') {
    const section = parseAuthSection(auth);
    verifiersOf(section, env, systemClock);
    if (section.clientCertificateAuth && queryTlsClientCaFile === '') {
      throw new SettingsError([
        'auth.clientCertificateAuth is true, but no client is asked for a certificate; set QUERY_TLS_CLIENT_CA_FILE',
      ]);
    }
  } else if (auth !== undefined) {
    throw new SettingsError([
      `AUTH_MODE is ${authMode}, which does not read the section auth (${auth.file}); set AUTH_MODE=local, or remove the section`,
    ]);
  }
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
      const verifiers = verifiersOf(auth, env, clock);
      if (auth.anonymousAuth) warn(ANONYMOUS_WARNING);
      const queueGrants = auth.queuePermissionsFromArmada ? grants : undefined;
      return new LocalAuthorizer({ ...common, auth, verifiers, queueGrants });
    }
  }
}

function verifiersOf(
  { basicAuth, kubernetesAuth, openIdAuth }: AuthSection,
  env: Environment,
  clock: Clock,
): CallerVerifiers {
  return {
    basic: basicAuth && new BasicUserVerifier(basicAuth, env),
    kubernetes: kubernetesAuth && new KubernetesTokenVerifier(kubernetesAuth),
    bearer: openIdAuth && new OpenIdTokenVerifier(openIdAuth, clock),
  };
}
