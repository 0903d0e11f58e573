import { createHash } from 'node:crypto';
import { tokenIn } from '@ajs/auth';

/** Who waits for an answer. */
export interface Caller {
  /** When the caller wants an answer at the latest, by `performance.now()`; Infinity where it did not say. */
  readonly deadline: number;
  /** Whether nobody waits for the answer any more. */
  readonly isGone: () => boolean;
  /** Where the connection comes from, without a port: perhaps a proxy. */
  readonly address: () => string;
  /** All values of `authorization` that came with the call, as they came. */
  readonly authorization: readonly (string | Buffer)[];
  /** The name in the client certificate of the connection, where one was verified. */
  readonly certificateName: () => string | undefined;
}

/**
 * Tells callers apart. Holds no secret.
 *
 * @param byCredential whether it counts what they sent, once it was accepted: who spells it in another way is the same. Where nothing is
 *   checked anybody may send anything, and only the address tells.
 */
export function callerId({ authorization: [value], address }: Caller, byCredential: boolean): string {
  if (!byCredential || value === undefined) return address();
  return createHash('sha256')
    .update(whatCounts(String(value)))
    .digest('base64');
}

/** What of an accepted `authorization` is the same in all its spellings. */
function whatCounts(authorization: string): string {
  const token = tokenIn(authorization);
  if (token === undefined) return authorization.slice(authorization.indexOf(' ') + 1);
  // The last part of a JWT, its signature, is base64 that can be written in several ways; what it signs cannot.
  return token.split('.', 2).join('.');
}
