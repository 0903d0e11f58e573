/** The right to follow one job set. It may run out, and come back. */
export interface Lease {
  /** Whether it is held now, by this process's own monotonic clock, whatever Redis says. */
  isHeld(): boolean;
  /** Resolves while it is held: at once, or when it has come back. Rejects with {@link LeaseLostError} where it never will. */
  whenHeld(): Promise<void>;
}

/** The lease ran out: another replica may own the job set now. */
export class LeaseLostError extends Error {
  constructor() {
    super('the lease expired before it was renewed');
    this.name = 'LeaseLostError';
  }
}
