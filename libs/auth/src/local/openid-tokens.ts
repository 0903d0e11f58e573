import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { AuthSection } from './auth-section.js';
import { AuthError } from '../authorizer.js';
import type { CallerService, VerifiedCaller } from './caller-service.js';
import { principal } from './principal.js';

/** Signatures by a key that only the provider has. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const TIMEOUT_MS = 5_000;
const LARGEST_DISCOVERY_BYTES = 256 * 1024;

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/**
 * Keys are asked for again, for the sake of a token signed with one that is not known, no sooner than after this time: the
 * provider may have new ones, and a flood of such tokens shall not reach it. Milliseconds.
 */
const KEYS_COOLDOWN_MS = 5_000;

/** Access tokens of an OpenID provider, which are signed JWTs. */
export class OpenIdTokens implements CallerService<'bearer'> {
  private keys: Promise<JWTVerifyGetKey> | undefined;

  constructor(
    private readonly config: NonNullable<AuthSection['openIdAuth']>,
    private readonly keysCooldownMs = KEYS_COOLDOWN_MS,
  ) {}

  async verify({ token }: { token: string }): Promise<VerifiedCaller> {
    const { providerUrl, audience, clockSkewSeconds } = this.config;
    const keys = await this.discovered();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: providerUrl,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: clockSkewSeconds,
        requiredClaims: ['exp', 'sub'],
      });
      return this.callerOf(payload);
    } catch (error) {
      if (REFUSALS.some((kind) => error instanceof kind)) throw refused(error as Error);
      // The keys may be elsewhere by now.
      this.keys = undefined;
      throw unavailable((error as Error).message);
    }
  }

  private callerOf(payload: JWTPayload): VerifiedCaller {
    const { sub, exp, scope } = payload;
    const groups = z
      .union([z.string().transform((one) => [one]), z.array(z.string())])
      .safeParse(payload[this.config.groupsClaim]);
    const scopes = typeof scope === 'string' ? scope.split(' ').filter((one) => one !== '') : [];
    return {
      principal: principal(String(sub), groups.data ?? [], scopes, Object.keys(payload)),
      until: Number(exp) * 1000,
    };
  }

  /** The provider's keys, found once by its discovery document. */
  private discovered(): Promise<JWTVerifyGetKey> {
    if (this.keys === undefined) {
      const keys = this.discover();
      this.keys = keys;
      keys.catch(() => (this.keys = undefined));
    }
    return this.keys;
  }

  private async discover(): Promise<JWTVerifyGetKey> {
    const { providerUrl } = this.config;
    const url = `${providerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const { issuer, jwks_uri } = parseDiscovered(await boundedText(response));
      if (issuer !== providerUrl) throw new Error(`its issuer is ${issuer}`);
      return createRemoteJWKSet(new URL(jwks_uri), {
        timeoutDuration: TIMEOUT_MS,
        cooldownDuration: this.keysCooldownMs,
      });
    } catch (error) {
      throw unavailable(`${url}: ${(error as Error).message}`);
    }
  }
}

function parseDiscovered(text: string): z.output<typeof discovered> {
  try {
    return discovered.parse(JSON.parse(text));
  } catch (error) {
    throw new Error('its answer is not that of an OpenID provider', { cause: error });
  }
}

/** What is wrong with the token itself; anything else is trouble on the way to the provider. */
const REFUSALS = [
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

function refused(error: Error): AuthError {
  return new AuthError(
    'unauthenticated',
    `your token (authorization: Bearer) is not accepted: ${error.message}`,
  );
}

function unavailable(reason: string): AuthError {
  return new AuthError(
    'unavailable',
    `the OpenID provider cannot be asked about your token: ${reason}; try again`,
  );
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > LARGEST_DISCOVERY_BYTES)
      throw new Error(`its answer is longer than ${LARGEST_DISCOVERY_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}
