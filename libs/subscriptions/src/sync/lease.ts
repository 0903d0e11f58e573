import { setTimeout as sleep } from 'node:timers/promises';

/** The right to follow one job set. It may run out, and come back. */
export interface Lease {
  /** Whether it holds now, by this process's own monotonic clock, whatever anybody else says. */
  isHeld(): boolean;
  /** Resolves while it holds: at once, or when it has come back. Rejects with {@link LeaseLostError} where it never will. */
  whenHeld(): Promise<void>;
}

/** One holding of a lease. Where a renewal comes late, it is held again. */
export type LeaseTerm = Pick<Lease, 'isHeld'>;

/** The lease ran out: somebody else may hold the job set now. */
export class LeaseLostError extends Error {
  constructor() {
    super('the lease ran out before it was renewed');
    this.name = 'LeaseLostError';
  }
}

const LOOK_AGAIN_MS = 50;

/** A lease of one term after the other: what ran out while Redis was away is often given to the same replica again. */
export class AssignmentLease implements Lease {
  private term: LeaseTerm | undefined;
  private over = false;

  get isOver(): boolean {
    return this.over;
  }

  isHeld(): boolean {
    return !this.over && this.term?.isHeld() === true;
  }

  async whenHeld(): Promise<void> {
    while (!this.isHeld()) {
      if (this.over) throw new LeaseLostError();
      // Nobody tells when a renewal that took too long comes through after all.
      await sleep(LOOK_AGAIN_MS);
    }
  }

  begin(term: LeaseTerm): void {
    this.term = term;
  }

  /** It never comes back. */
  end(): void {
    this.over = true;
  }
}
