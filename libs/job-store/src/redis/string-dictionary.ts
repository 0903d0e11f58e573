import type { Generation } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';

const STRINGS_CACHED = 50_000;

/** Fetches strings of a generation by their numbers, in the order of the question; `null` for one that is not there. */
export type FetchStrings = (numbers: readonly number[]) => Promise<readonly (string | null)[]>;

/** The string dictionaries of all generations, as far as this reader met them: a number means the same string for ever. */
export class StringDictionary {
  private readonly strings = new LRUCache<string, string>({ max: STRINGS_CACHED });

  /** Decodes with the dictionary of a generation; decodes again where some had to be fetched first. */
  async decode<T>(
    generation: Generation,
    decode: (stringOf: (number: number) => string | undefined) => T,
    fetch: FetchStrings,
  ): Promise<T> {
    const resolved = new Map<number, string>();
    const missing = new Set<number>();
    const decoded = decode((number) => {
      const text = resolved.get(number) ?? this.strings.get(`${generation}:${number}`);
      if (text === undefined) missing.add(number);
      else resolved.set(number, text);
      return text;
    });
    if (missing.size === 0) return decoded;
    const numbers = Array.from(missing);
    const fetched = await fetch(numbers);
    numbers.forEach((number, i) => {
      const text = fetched[i];
      if (typeof text !== 'string') return;
      resolved.set(number, text);
      this.strings.set(`${generation}:${number}`, text);
    });
    return decode((number) => resolved.get(number));
  }
}
