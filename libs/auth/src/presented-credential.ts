import { jwtExpiry } from '@ajs/platform';
import { AuthError } from './authorizer.js';
import { problemOfAuthorization } from './authorization.js';

/** An `authorization` in its parts. */
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

/** The parts of what {@link acceptAuthorization} gave. */
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
  const shown = parseAuthorization(authorization);
  if (shown.scheme === 'basic') return undefined;
  return shown.scheme === 'bearer' ? shown.token : kubernetesToken(shown.payload);
}

/** The token inside a KubernetesAuth payload; `undefined` where there is none. */
export function kubernetesToken(payload: string): string | undefined {
  const token = fieldOf(payload, 'token');
  return typeof token === 'string' && token !== '' ? token : undefined;
}

/**
 * When the token in an `authorization` ends, in Unix milliseconds; `undefined` where it does not say. Read and not verified: it
 * can only shorten what it is used for.
 */
export function expiryOf(authorization: string | undefined): number | undefined {
  const token = authorization === undefined ? undefined : tokenIn(authorization);
  return token === undefined ? undefined : jwtExpiry(token);
}

/** A field of a JSON object in base64url. */
function fieldOf(text: string, field: string): unknown {
  try {
    const content: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return typeof content === 'object' && content !== null
      ? (content as Record<string, unknown>)[field]
      : undefined;
  } catch {
    return undefined;
  }
}
