import { jwtExpiry } from '@ajs/platform';
import { AuthError } from './authorizer.js';
import { problemOfAuthorization } from './authorization.js';

/** An `authorization`, parsed. */
export type PresentedCredential =
  | { readonly scheme: 'basic'; readonly user: string; readonly password: string }
  | { readonly scheme: 'kubernetes'; readonly payload: string }
  | { readonly scheme: 'bearer'; readonly token: string };

/**
 * The `authorization` of a call, fit to be checked and forwarded as it is; `undefined` where the caller sent none. `values` are
 * all that the call has. Throws AuthError (`unauthenticated`) where it is malformed.
 */
export function acceptAuthorization(values: readonly (string | Buffer)[]): string | undefined {
  const problem = problemOfAuthorization(values);
  if (problem !== undefined) throw new AuthError('unauthenticated', `the authorization ${problem}`);
  return values[0] as string | undefined;
}

/** Parses what {@link acceptAuthorization} returned. */
export function parseAuthorization(authorization: string): PresentedCredential {
  const space = authorization.indexOf(' ');
  const rest = authorization.slice(space + 1);
  switch (authorization.slice(0, space).toLowerCase()) {
    case 'basic': {
      const text = Buffer.from(rest, 'base64').toString();
      const colon = text.indexOf(':');
      return { scheme: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) };
    }
    case 'bearer':
      return { scheme: 'bearer', token: rest };
    default:
      return { scheme: 'kubernetes', payload: rest };
  }
}

/** The token that an `authorization` carries, by whichever scheme; `undefined` where it carries none. */
export function tokenIn(authorization: string): string | undefined {
  const presented = parseAuthorization(authorization);
  switch (presented.scheme) {
    case 'basic':
      return undefined;
    case 'bearer':
      return presented.token;
    case 'kubernetes':
      return kubernetesToken(presented.payload);
  }
}

/** The part of an `authorization` that is the same in all its spellings. */
export function canonicalCredential(authorization: string): string {
  const token = tokenIn(authorization);
  if (token === undefined) return authorization.slice(authorization.indexOf(' ') + 1);
  // The signature of a JWT is base64 that can be spelled in several ways; the parts that it signs cannot.
  return token.split('.', 2).join('.');
}

/** The token inside a KubernetesAuth payload; `undefined` where there is none. */
export function kubernetesToken(payload: string): string | undefined {
  try {
    const { token } = Object(JSON.parse(Buffer.from(payload, 'base64url').toString())) as { token?: unknown };
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    return undefined;
  }
}

/**
 * When the token in an `authorization` expires, in milliseconds since 1970; `undefined` where it does not say. It is not verified:
 * it may shorten what it is used for, never prove anything.
 */
export function expiryOf(authorization: string | undefined): number | undefined {
  const token = authorization === undefined ? undefined : tokenIn(authorization);
  return token === undefined ? undefined : jwtExpiry(token);
}
