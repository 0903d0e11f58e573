import type { ContextSource } from './context.js';

/** What is wrong and what is odd with the settings, gathered while they are read. Names keys and files, never a secret. */
export class Diagnostics {
  readonly problems: string[] = [];
  readonly warnings: string[] = [];

  problem(text: string): void {
    this.problems.push(text);
  }

  warning(text: string): void {
    this.warnings.push(text);
  }

  /** A problem for each key of the kind without a value. */
  require(source: KeyPlace, kind: string, values: Readonly<Record<string, string>>): void {
    for (const [key, value] of Object.entries(values)) {
      if (value === '') this.problem(`${placeOf(source, `${kind}.${key}`)} is missing`);
    }
  }
}

export type KeyPlace = Pick<ContextSource, 'prefix' | 'file'>;

/** A key and the file that it stands in, for people. */
export function placeOf({ prefix, file }: KeyPlace, key: string): string {
  return `${prefix}${key} (${file})`;
}
