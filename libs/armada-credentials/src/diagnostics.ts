import type { ContextSource } from './context.js';

/** Problems and warnings about the settings, collected while they are read. They name keys and files, never a secret. */
export class Diagnostics {
  readonly problems: string[] = [];
  readonly warnings: string[] = [];

  problem(text: string): void {
    this.problems.push(text);
  }

  warning(text: string): void {
    this.warnings.push(text);
  }

  /** Adds a problem for each key without a value. */
  require(source: KeyPlace, kind: string, values: Readonly<Record<string, string>>): void {
    for (const [key, value] of Object.entries(values)) {
      if (value === '') this.problem(`${placeOf(source, `${kind}.${key}`)} is missing`);
    }
  }
}

export type KeyPlace = Pick<ContextSource, 'prefix' | 'file'>;

/** A key and its file, for people. */
export function placeOf({ prefix, file }: KeyPlace, key: string): string {
  return `${prefix}${key} (${file})`;
}
