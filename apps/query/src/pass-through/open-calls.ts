/** Forwarded calls that are open at Armada: no more of them, on this replica, than Armada is to bear. */
export class OpenCalls {
  private readonly open = new Set<() => void>();

  constructor(
    readonly most: number,
    private readonly changed?: (open: number) => void,
  ) {}

  /** Takes a place, which the call has until it calls `leave`; `undefined` where there is none. `end` ends the call. */
  enter(end: () => void): { readonly leave: () => void } | undefined {
    if (this.open.size >= this.most) return undefined;
    this.open.add(end);
    this.changed?.(this.open.size);
    return {
      leave: () => {
        if (this.open.delete(end)) this.changed?.(this.open.size);
      },
    };
  }

  /** Ends them all. */
  endAll(): void {
    for (const end of [...this.open]) end();
  }
}
