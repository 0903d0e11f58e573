import type { MonotonicTime } from '@ajs/job-state';
import { createHash } from 'node:crypto';
import { tokenIn } from '@ajs/auth';

/** Who waits for an answer. */
export interface Caller {
  /** When the caller wants an answer at the latest; the infinite future where it did not say. */
  readonly deadline: MonotonicTime;
  /** Whether the caller has stopped waiting for the answer. */
  readonly isGone: () => boolean;
  /** Where the connection comes from, without a port: perhaps a proxy. */
  readonly address: () => string;
  /** All values of `authorization` that came with the call, as they came. */
  readonly authorization: readonly (string | Buffer)[];
  /** The name in the client certificate of the connection, where one was verified. */
  readonly certificateName: () => string | undefined;
}

/**
 * Identifies a caller among others, without its secret.
 *
 * @param byCredential whether callers are told apart by their accepted credentials, whatever their spelling. Where credentials are not
 *   checked anybody may send anything, and only the address counts.
 */
export function callerId({ authorization: [value], address }: Caller, byCredential: boolean): string {
  if (!byCredential || value === undefined) return address();
  return createHash('sha256')
    .update(canonicalCredential(String(value)))
    .digest('base64');
}

/** The part of an accepted `authorization` that is the same in all its spellings. */
function canonicalCredential(authorization: string): string {
  const token = tokenIn(authorization);
  if (token === undefined) return authorization.slice(authorization.indexOf(' ') + 1);
  // The signature of a JWT is base64 that can be spelled in several ways; the parts that it signs cannot.
  return token.split('.', 2).join('.');
}
