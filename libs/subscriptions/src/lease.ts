/** The right to follow one job set. It may run out, and come back. */
export interface Lease {
  /** Whether it holds now, by this process's own monotonic clock, whatever anybody else says. */
  isHeld(): boolean;
  /** Resolves while it holds: at once, or when it has come back. Rejects with {@link LeaseLostError} where it never will. */
  whenHeld(): Promise<void>;
}

/** One holding of a lease: once it has run out it stays so. */
export type LeaseTerm = Pick<Lease, 'isHeld'>;

/** The lease ran out: somebody else may hold the job set now. */
export class LeaseLostError extends Error {
  constructor() {
    super('the lease ran out before it was renewed');
    this.name = 'LeaseLostError';
  }
}

/** A lease of one term after the other: what ran out while Redis was away is often given to the same replica again. */
export class TurnLease implements Lease {
  private term: LeaseTerm | undefined;
  private over = false;
  private waiting: (() => void)[] = [];

  get isOver(): boolean {
    return this.over;
  }

  isHeld(): boolean {
    return !this.over && this.term?.isHeld() === true;
  }

  async whenHeld(): Promise<void> {
    while (!this.isHeld()) {
      if (this.over) throw new LeaseLostError();
      await new Promise<void>((changed) => this.waiting.push(changed));
    }
  }

  begin(term: LeaseTerm): void {
    this.term = term;
    this.changed();
  }

  /** It never comes back. */
  end(): void {
    this.over = true;
    this.changed();
  }

  private changed(): void {
    for (const changed of this.waiting.splice(0)) changed();
  }
}
