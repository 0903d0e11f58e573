/** HTTP/2 servers accept headers of at least 16 KiB. */
const MAX_TOKEN_LENGTH = 16_000;

/** A value of `authorization` that expires. */
export interface Token {
  readonly authorization: string;
  /** Milliseconds since 1970; `undefined` where it is not known. */
  readonly expiresAt: number | undefined;
}

/** Fetches tokens. */
export interface TokenSource {
  /** Where it is configured, for people: key and file. */
  readonly where: string;
  /** Fetches a new token in bounded time. Rejects with an error that says why and holds no secret. */
  fetch(signal: AbortSignal): Promise<Token>;
}

/** A value of `authorization`. Throws where the token cannot be part of one, without showing it: gRPC's own error would. */
export function authorizationOf(scheme: 'Bearer' | 'KubernetesAuth', token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Error('invalid token: it must be one word of printable ASCII');
  }
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new Error(`invalid token: it is longer than ${MAX_TOKEN_LENGTH} characters`);
  }
  return `${scheme} ${token}`;
}
