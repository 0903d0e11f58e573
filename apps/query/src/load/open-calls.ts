import { FairShares } from '@ajs/platform';

/** Calls of one kind that stay open, up to a limit, and of each caller up to its fair share. */
export class OpenCalls {
  private readonly open = new Set<() => void>();

  readonly shares: FairShares;

  constructor(
    max: number,
    private readonly changed?: (open: number) => void,
  ) {
    this.shares = new FairShares(max);
  }

  /** Counts a call of `who` until it calls `leave`; `undefined` at the limit. `end` ends the call. */
  enter(who: string, end: () => void): { readonly leave: () => void } | undefined {
    if (!this.shares.take(who)) return undefined;
    this.open.add(end);
    this.changed?.(this.open.size);
    return {
      leave: () => {
        if (!this.open.delete(end)) return;
        this.shares.release(who);
        this.changed?.(this.open.size);
      },
    };
  }

  /** Ends them all. */
  endAll(): void {
    for (const end of [...this.open]) end();
  }
}
