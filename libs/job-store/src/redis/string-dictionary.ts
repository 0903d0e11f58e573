import { LRUCache } from 'lru-cache';

const WORDS_CACHED = 100_000;

/** Fetches words of a generation by their numbers, in the order of the question; `null` for one that is not there. */
export type FetchStrings = (numbers: readonly number[]) => Promise<readonly (string | null)[]>;

/** The words of all generations, as far as this reader met them: a number means the same word for ever. */
export class StringDictionary {
  private readonly words = new LRUCache<string, string>({ max: WORDS_CACHED });

  /** Decodes with the words of a generation; decodes again where some had to be fetched first. */
  async decode<T>(
    generation: string,
    decode: (wordOf: (number: number) => string | undefined) => T,
    fetch: FetchStrings,
  ): Promise<T> {
    const known = new Map<number, string>();
    const missing = new Set<number>();
    const decoded = decode((number) => {
      const word = known.get(number) ?? this.words.get(`${generation}:${number}`);
      if (word === undefined) missing.add(number);
      else known.set(number, word);
      return word;
    });
    if (missing.size === 0) return decoded;
    const numbers = Array.from(missing);
    const fetched = await fetch(numbers);
    numbers.forEach((number, i) => {
      const word = fetched[i];
      if (typeof word !== 'string') return;
      known.set(number, word);
      this.words.set(`${generation}:${number}`, word);
    });
    return decode((number) => known.get(number));
  }
}
