import type { PresentedCredential } from '../presented-credential.js';
import type { Principal } from './principal.js';

export interface VerifiedCaller {
  readonly principal: Principal;
  /** When the credential expires, in milliseconds since 1970; Infinity where it does not. */
  readonly expiresAt: number;
}

/** Verifies the credentials of one scheme. */
export interface CallerVerifier<S extends PresentedCredential['scheme']> {
  /** Rejects with AuthError: `unauthenticated` where the credentials are bad, `unavailable` where they cannot be verified now. */
  verify(authorization: Extract<PresentedCredential, { scheme: S }>): Promise<VerifiedCaller>;
}
