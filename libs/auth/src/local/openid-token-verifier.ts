import { errors, jwtVerify, type JWTPayload } from 'jose';
import { z } from 'zod';
import type { AuthSection } from './auth-section.js';
import { AuthError } from '../authorizer.js';
import type { Clock } from '@ajs/platform';
import type { CallerVerifier, VerifiedCaller } from './caller-verifier.js';
import { principal } from './principal.js';
import { ProviderKeys, unavailable } from './provider-keys.js';

/** Asymmetric ones: only the provider has the private key. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Verifies access tokens of an OpenID provider, which are signed JWTs. */
export class OpenIdTokenVerifier implements CallerVerifier<'bearer'> {
  private readonly keys: ProviderKeys;

  constructor(
    private readonly config: NonNullable<AuthSection['openIdAuth']>,
    clock: Clock,
  ) {
    this.keys = new ProviderKeys(config.providerUrl, clock);
  }

  async verify({ token }: { token: string }): Promise<VerifiedCaller> {
    const { providerUrl, audience, clockSkewSeconds } = this.config;
    try {
      const { payload } = await jwtVerify(token, this.keys.keyOf, {
        issuer: providerUrl,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: clockSkewSeconds,
        requiredClaims: ['exp', 'sub'],
      });
      return this.callerOf(payload);
    } catch (error) {
      if (REFUSALS.some((kind) => error instanceof kind)) throw refused(error as Error);
      throw error instanceof AuthError ? error : unavailable((error as Error).message);
    }
  }

  /** A claim of another type than its meaning needs refuses the token: its text could be the name of somebody else. */
  private callerOf(payload: JWTPayload): VerifiedCaller {
    const { groupsClaim } = this.config;
    const sub = claim(payload, 'sub', subject);
    const exp = claim(payload, 'exp', z.number());
    const groups = claim(payload, groupsClaim, oneOrMany);
    const scopes = claim(payload, 'scope', words);
    return {
      principal: principal(sub, groups, scopes, Object.keys(payload)),
      expiresAt: exp * 1000,
    };
  }
}

const subject = z.string({ error: 'must be a string' }).min(1, { error: 'must not be empty' });
const oneOrMany = z
  .union([z.string().transform((one) => [one]), z.array(z.string())], {
    error: 'must be a string or an array of strings',
  })
  .nullish()
  .transform((many) => many ?? []);
const words = z
  .string({ error: 'must be a string' })
  .nullish()
  .transform((text) => (text ?? '').split(' ').filter((word) => word !== ''));

/** Throws as jose does for the claims that it reads itself. */
function claim<T>(payload: JWTPayload, name: string, type: z.ZodType<T>): T {
  const { success, data, error } = type.safeParse(payload[name]);
  if (success) return data;
  throw new errors.JWTClaimValidationFailed(`"${name}" claim ${error.issues[0]?.message}`, payload, name);
}

/** Errors of the token itself; any other means that the provider could not be reached. */
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
  return new AuthError('unauthenticated', `invalid token (authorization: Bearer): ${error.message}`);
}
