import { FairCache } from './fair-cache.js';

/** The keys of `cache` with this first letter that are still there, of `count` that were set. */
const left = (cache: FairCache<string, number>, letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${letter}${i}`).filter((key) => cache.get(key) !== undefined);

const fill = (cache: FairCache<string, number>, letter: string, count: number): void => {
  for (let i = 0; i < count; i++) cache.set(`${letter}${i}`, i, `caller ${letter}`);
};

describe('a cache that callers share', () => {
  it('keeps the entries of a caller, however many another adds, whose own oldest go', () => {
    const cache = new FairCache<string, number>(8);
    fill(cache, 'a', 1);
    fill(cache, 'b', 1_000);
    expect(left(cache, 'a', 1)).toEqual(['a0']);
    expect(left(cache, 'b', 1_000)).toEqual(['b995', 'b996', 'b997', 'b998', 'b999']);
    expect(cache.size).toBe(6);
  });

  it('has room for each caller that comes, at the cost of the one that added nothing for the longest time', () => {
    const cache = new FairCache<string, number>(2);
    for (const letter of ['a', 'b', 'c']) fill(cache, letter, 1);
    expect(['a', 'b', 'c'].map((letter) => left(cache, letter, 1).length)).toEqual([0, 1, 1]);
    fill(cache, 'b', 1);
    fill(cache, 'd', 1);
    expect(['b', 'c', 'd'].map((letter) => left(cache, letter, 1).length)).toEqual([1, 0, 1]);
  });

  it('evicts first what was set longest ago, where it was set again, too', () => {
    const cache = new FairCache<string, number>(4);
    fill(cache, 'a', 3);
    cache.set('a0', 9, 'caller a');
    cache.set('a3', 3, 'caller a');
    expect(left(cache, 'a', 4)).toEqual(['a0', 'a2', 'a3']);
    expect(cache.get('a0')).toBe(9);
  });

  it('leaves an entry to the caller that added it, whoever sets it again', () => {
    const cache = new FairCache<string, number>(8);
    cache.set('theirs', 1, 'caller a');
    cache.set('theirs', 2, 'caller b');
    fill(cache, 'b', 1_000);
    expect(cache.get('theirs')).toBe(2);
  });

  it('gives back the room of what is deleted', () => {
    const cache = new FairCache<string, number>(4);
    for (let round = 0; round < 3; round++) {
      fill(cache, 'a', 3);
      expect(left(cache, 'a', 3)).toHaveLength(3);
      for (let i = 0; i < 3; i++) cache.delete(`a${i}`);
      cache.delete('never set');
      expect(cache.size).toBe(0);
    }
  });
});
