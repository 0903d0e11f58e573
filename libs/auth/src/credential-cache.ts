import { addMs, type MonotonicTime } from '@ajs/job-state';
import type { Clock } from '@ajs/platform';
import { LRUCache } from 'lru-cache';

export interface CachedResult<V> {
  readonly value: V;
  readonly cachedAt: MonotonicTime;
  readonly expiresAt: MonotonicTime;
}

/**
 * Results of checking callers, each cached for its own time to live. Good results have a cache of their own, so that no flood of bad
 * credentials evicts one.
 */
export class CredentialCache<V> {
  private readonly good: LRUCache<string, CachedResult<V>>;
  private readonly bad: LRUCache<string, CachedResult<V>>;

  /** Keys hold digests of credentials, and names. */
  constructor(
    private readonly clock: Clock,
    maxGood = 10_000,
    maxBad = 2_000,
  ) {
    this.good = new LRUCache({ max: maxGood });
    this.bad = new LRUCache({ max: maxBad });
  }

  get(key: string): V | undefined {
    return this.entry(key)?.value;
  }

  /** As {@link get}, with when it was cached and when it expires. */
  entry(key: string): CachedResult<V> | undefined {
    const now = this.clock.monotonic();
    for (const results of [this.good, this.bad]) {
      const cached = results.get(key);
      if (cached !== undefined && cached.expiresAt > now) return cached;
    }
    return undefined;
  }

  set(key: string, value: V, quality: 'good' | 'bad', ttlMs: number): void {
    const [results, others] = quality === 'good' ? [this.good, this.bad] : [this.bad, this.good];
    others.delete(key);
    const cachedAt = this.clock.monotonic();
    results.set(key, { value, cachedAt, expiresAt: addMs(cachedAt, ttlMs) });
  }

  /** The last result, expired or not, if it was a good one. */
  lastGood(key: string): V | undefined {
    return this.good.peek(key)?.value;
  }
}
