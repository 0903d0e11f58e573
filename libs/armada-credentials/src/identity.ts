/**
 * Who this process is to Armada: the `authorization` of its own calls. Never give it to what forwards the calls of others: those carry
 * their callers' credentials, or none.
 */
export interface ArmadaIdentity {
  /**
   * The value for a call that starts now; `undefined` where none is to be sent. Rejects with {@link CredentialError} where it cannot
   * be obtained.
   */
  authorization(): Promise<string | undefined>;
  /** Armada answered UNAUTHENTICATED to a call with this value. */
  refused(authorization: string): void;
  /** Stops renewing. */
  close(): void;
}

/** No credential could be obtained. The message is for people: it names the key and the cause, and holds no secret. */
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

/** As armadactl sends it: the scheme in lower case. */
export function basicAuthorization(username: string, password: string): string {
  return `basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
