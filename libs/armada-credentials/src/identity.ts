/**
 * Who this process is to Armada: what it sends as `authorization` with calls of its own. Never given to anything that forwards
 * the calls of others, which carry their callers' credentials or none.
 */
export interface ArmadaIdentity {
  /**
   * The value for a call that begins now; `undefined`: none is sent. Rejects with {@link CredentialError} where there is none to
   * be had now.
   */
  authorization(): Promise<string | undefined>;
  /** Armada answered UNAUTHENTICATED to a call with this value. */
  refused(authorization: string): void;
  /** Stops what works on the next value. */
  close(): void;
}

/** No credential could be had. The message is for people: it tells where it is set and what went wrong, and holds no secret. */
export class CredentialError extends Error {
  constructor(where: string, reason: string) {
    super(`no credential for Armada from ${where}: ${reason}`);
    this.name = 'CredentialError';
  }
}

/** Always the same value, or none. */
export function fixedIdentity(authorization: string | undefined): ArmadaIdentity {
  return {
    authorization: () => Promise.resolve(authorization),
    refused: () => undefined,
    close: () => undefined,
  };
}

export const anonymous = fixedIdentity(undefined);

/** As armadactl writes it: the scheme in small letters. */
export function basicAuthorization(username: string, password: string): string {
  return `basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
