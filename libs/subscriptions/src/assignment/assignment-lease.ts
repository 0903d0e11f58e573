import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseLostError, type Lease } from '../sync/lease.js';
import type { LeaseTerm } from './leases.js';

type Term = Pick<LeaseTerm, 'isHeld'>;

const POLL_MS = 50;

/** A lease of one term after the other: what expired while Redis was unavailable is often given to the same replica again. */
export class AssignmentLease implements Lease {
  private term: Term | undefined;
  private ended = false;

  get isOver(): boolean {
    return this.ended;
  }

  isHeld(): boolean {
    return !this.ended && this.term?.isHeld() === true;
  }

  async whenHeld(): Promise<void> {
    while (!this.isHeld()) {
      if (this.ended) throw new LeaseLostError();
      // A renewal that took too long may come through after all, and nothing announces it.
      await sleep(POLL_MS, undefined, { ref: false });
    }
  }

  begin(term: Term): void {
    this.term = term;
  }

  /** It never comes back. */
  end(): void {
    this.ended = true;
  }
}
