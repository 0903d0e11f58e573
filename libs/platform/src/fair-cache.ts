import { FairShares } from './fair-shares.js';

interface Entry<V> {
  readonly value: V;
  readonly who: string;
}

/**
 * A bounded cache that callers share. A caller that has its fair share of the room ({@link FairShares}) loses its own oldest entry for each
 * new one; one that has nothing, where no room is left, takes that of the caller that has added nothing for the longest time. So nobody
 * loses an entry to a flood of another.
 */
export class FairCache<K, V> {
  private readonly entries = new Map<K, Entry<V>>();
  /** Of each caller, its keys in the order in which they were set; first the caller that has set none for the longest time. */
  private readonly keys = new Map<string, Set<K>>();
  private readonly shares: FairShares;

  /** @param max Entries of all callers together */
  constructor(max: number) {
    this.shares = new FairShares(max);
  }

  get size(): number {
    return this.entries.size;
  }

  /** Whoever has set it. */
  get(key: K): V | undefined {
    return this.entries.get(key)?.value;
  }

  /** An entry that is replaced stays that of the caller who added it: nobody can make it its own, and then have it evicted. */
  set(key: K, value: V, who: string): void {
    const owner = this.entries.get(key)?.who ?? who;
    this.delete(key);
    while (!this.shares.take(owner)) this.evictFor(owner);
    const own = this.keys.get(owner) ?? new Set();
    this.keys.delete(owner);
    this.keys.set(owner, own.add(key));
    this.entries.set(key, { value, who: owner });
  }

  delete(key: K): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    const own = this.keys.get(entry.who);
    own?.delete(key);
    if (own?.size === 0) this.keys.delete(entry.who);
    this.shares.release(entry.who);
  }

  private evictFor(who: string): void {
    const [longestIdle] = this.keys.values();
    const [oldest] = this.keys.get(who) ?? longestIdle ?? [];
    if (oldest !== undefined) this.delete(oldest);
  }
}
