/** Who waits for an answer. */
export interface Caller {
  /** When the caller wants an answer at the latest, by `performance.now()`; Infinity where it did not say. */
  readonly deadline: number;
  /** Whether nobody waits for the answer any more. */
  readonly isGone: () => boolean;
  /** All values of `authorization` that came with the call, as they came. */
  readonly authorization: readonly (string | Buffer)[];
  /** The name in the client certificate of the connection, where one was verified. */
  readonly certificateName?: string | undefined;
}
