/**
 * How long to wait before the next try: doubling from `firstMs` to `maxMs`, each wait drawn evenly from its upper half, so that many
 * clients of one server that stopped do not come back at the same moment.
 */
export class Backoff {
  private tries = 0;

  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const max = Math.min(this.firstMs * 2 ** Math.min(this.tries++, 30), this.maxMs);
    return max * (0.5 + this.random() / 2);
  }

  reset(): void {
    this.tries = 0;
  }
}
