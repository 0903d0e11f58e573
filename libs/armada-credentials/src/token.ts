/** HTTP/2 servers take headers of 16 KiB or more. */
const LONGEST_TOKEN = 16_000;

/** A value of `authorization` that ends. */
export interface Token {
  readonly authorization: string;
  /** Milliseconds since 1970; `undefined` where nobody says. */
  readonly expiresAt: number | undefined;
}

/** Gets tokens, each time a new one. */
export interface TokenSource {
  /** Where it is set, for people: key and file. */
  readonly where: string;
  /** Rejects with an error that tells why and holds no secret. Takes a bounded time. */
  fetch(signal: AbortSignal): Promise<Token>;
}

/** A value of `authorization`. Throws, without showing it, where it cannot be one: gRPC would show it in its own error. */
export function authorizationOf(scheme: 'Bearer' | 'KubernetesAuth', token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Error('invalid token: it must be one word of printable ASCII');
  }
  if (token.length > LONGEST_TOKEN) {
    throw new Error(`invalid token: it is longer than ${LONGEST_TOKEN} characters`);
  }
  return `${scheme} ${token}`;
}
