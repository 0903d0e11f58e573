/**
 * How long to wait before the next try: doubling from `first` to `longest`, each wait drawn evenly from its upper half, so
 * that many clients of one server that stopped do not come back at the same moment. Milliseconds.
 */
export class Backoff {
  private tries = 0;

  constructor(
    private readonly first: number,
    private readonly longest: number,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const most = Math.min(this.first * 2 ** Math.min(this.tries++, 30), this.longest);
    return most * (0.5 + this.random() / 2);
  }

  reset(): void {
    this.tries = 0;
  }
}
