import { addMs, type MonotonicTime } from '@ajs/job-state';
import type { Clock } from '@ajs/platform';
import { LRUCache } from 'lru-cache';

export interface CachedResult<V> {
  readonly value: V;
  readonly cachedAt: MonotonicTime;
  readonly expiresAt: MonotonicTime;
}

/**
 * What was found out about callers, each finding kept for its time. Good ones have a place of their own, so that no flood of bad
 * credentials pushes one out.
 */
export class CredentialCache<V> {
  private readonly good: LRUCache<string, CachedResult<V>>;
  private readonly bad: LRUCache<string, CachedResult<V>>;

  /** Keys may hold credentials of up to 16 KiB: the limits bound memory too. */
  constructor(
    private readonly clock: Clock,
    mostGood = 10_000,
    mostBad = 2_000,
  ) {
    this.good = new LRUCache({ max: mostGood });
    this.bad = new LRUCache({ max: mostBad });
  }

  get(key: string): V | undefined {
    return this.entry(key)?.value;
  }

  /** As {@link get}, with the end of its time. */
  entry(key: string): CachedResult<V> | undefined {
    const now = this.clock.monotonic();
    for (const findings of [this.good, this.bad]) {
      const kept = findings.get(key);
      if (kept !== undefined && kept.expiresAt > now) return kept;
    }
    return undefined;
  }

  set(key: string, value: V, quality: 'good' | 'bad', forMs: number): void {
    const [place, other] = quality === 'good' ? [this.good, this.bad] : [this.bad, this.good];
    other.delete(key);
    const since = this.clock.monotonic();
    place.set(key, { value, cachedAt: since, expiresAt: addMs(since, forMs) });
  }

  /** Whether the last finding was a good one, however long ago. */
  wasGood(key: string): boolean {
    return this.good.peek(key) !== undefined;
  }
}
