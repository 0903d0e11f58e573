/** The forwarded calls of this replica that are open at Armada, up to a limit. */
export class OpenCalls {
  private readonly open = new Set<() => void>();

  constructor(
    readonly max: number,
    private readonly changed?: (open: number) => void,
  ) {}

  /** Counts a call until it calls `leave`; `undefined` at the limit. `end` ends the call. */
  enter(end: () => void): { readonly leave: () => void } | undefined {
    if (this.open.size >= this.max) return undefined;
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
