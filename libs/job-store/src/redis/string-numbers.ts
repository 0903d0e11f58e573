/**
 * The string dictionary of a job set as its writer uses it: which number stands for which string. Numbers are given out in
 * order and mean the same string for ever; those given out by a write that failed are given out again.
 */
export class StringNumbers {
  private readonly numbers = new Map<string, number>();
  private readonly strings = new Map<number, string>();
  private added: string[] = [];

  /** Takes over what Redis has. */
  set(number: number, text: string): void {
    this.numbers.set(text, number);
    this.strings.set(number, text);
  }

  stringOf(number: number): string | undefined {
    return this.strings.get(number);
  }

  /** The string's number, a new one where it has none. */
  numberOf(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    const number = this.numbers.size;
    this.set(number, text);
    this.added.push(text);
    return number;
  }

  /** What must be written: the strings that were given a number since the last commit or rollback. */
  get uncommitted(): (readonly [number: number, text: string])[] {
    return this.added.map((text) => [this.numberOf(text), text]);
  }

  /** Redis has them. */
  commit(): void {
    this.added = [];
  }

  /** Redis may not have them. */
  rollBack(): void {
    for (const text of this.added) {
      this.strings.delete(this.numbers.get(text) ?? -1);
      this.numbers.delete(text);
    }
    this.added = [];
  }
}
