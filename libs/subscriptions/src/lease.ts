/** The right to follow one job set, for a time. */
export interface Lease {
  /** Whether it still holds by this process's own monotonic clock, whatever anybody else says. */
  isHeld(): boolean;
}

/** The lease ran out: somebody else may hold the job set now. */
export class LeaseLostError extends Error {
  constructor() {
    super('the lease ran out before it was renewed');
    this.name = 'LeaseLostError';
  }
}
