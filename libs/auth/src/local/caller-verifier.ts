import type { PresentedCredential } from '../presented-credential.js';
import type { Principal } from './principal.js';

export interface VerifiedCaller {
  readonly principal: Principal;
  /** When the credential expires, in milliseconds since 1970; Infinity where it does not. */
  readonly expiresAt: number;
}

/** Verifies the credentials of one scheme. */
export interface CallerVerifier<S extends PresentedCredential['scheme']> {
  /**
   * Rejects with AuthError: `unauthenticated` where the credentials are bad, `unavailable` where they cannot be verified now.
   *
   * @param who Whose turn it is, where callers take turns
   */
  verify(authorization: Extract<PresentedCredential, { scheme: S }>, who: string): Promise<VerifiedCaller>;
  /** Whether verifying these costs next to nothing, so that no limit is needed; never, where it is left out. */
  isCheap?(authorization: Extract<PresentedCredential, { scheme: S }>): boolean;
}
