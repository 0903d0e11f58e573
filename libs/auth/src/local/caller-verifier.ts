import type { PresentedCredential } from '../presented-credential.js';
import type { Principal } from './principal.js';

export interface VerifiedCaller {
  readonly principal: Principal;
  /** When the credential ends, in Unix milliseconds; Infinity where it does not. */
  readonly expiresAt: number;
}

/** One way to know a caller. */
export interface CallerVerifier<S extends PresentedCredential['scheme']> {
  /** Rejects with AuthError: `unauthenticated` where the credentials are bad, `unavailable` where nobody can say now. */
  verify(authorization: Extract<PresentedCredential, { scheme: S }>): Promise<VerifiedCaller>;
}
