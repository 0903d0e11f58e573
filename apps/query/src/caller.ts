import { createHash } from 'node:crypto';

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

/** Tells callers apart: by their credential, where they sent one, and else by where they come from. Holds no secret. */
export function nameOf({ authorization: [value], address }: Caller): string {
  return value === undefined ? address() : createHash('sha256').update(value).digest('base64');
}
