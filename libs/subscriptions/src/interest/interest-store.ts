import type { JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import {
  INTEREST_SHARDS,
  interestShard,
  formatKey,
  jobSetTag,
  parseJobSetTag,
  type JobSetTag,
} from '@ajs/redis-keys';
import ageOfInterest from './lua/ageOfInterest-1.lua';
import forgetInterest from './lua/forgetInterest-1.lua';
import recordInterest from './lua/recordInterest-1.lua';
import readInterest from './lua/readInterest-1.lua';

interface Scripts {
  recordInterest(shard: string, tag: JobSetTag, mostInShard: number, quietMs: number): Promise<0 | 1 | 2 | 3>;
  readInterest(shard: string, first: number, last: number): Promise<[now: number, ...string[]]>;
  ageOfInterest(shard: string, tag: JobSetTag): Promise<number | null>;
  forgetInterest(shard: string, tag: JobSetTag, lastInterestAt: number): Promise<number>;
}

/** A job set that somebody asked about. */
export interface InterestEntry {
  readonly key: JobSetKey;
  /** Milliseconds since the epoch, by Redis' clock. */
  readonly lastInterestAt: number;
  /** Milliseconds from then until it was read. */
  readonly age: number;
}

/** What `recordInterest` returns. */
const NOTED = ['known', 'new', 'refused', 'quiet'] as const;
/** A job set that nobody has asked about for so long is quiet: it may be read seldom by now. Milliseconds. */
const QUIET_AFTER_MS = 30_000;
const READ_AT_ONCE = 500;

/** Which job sets somebody asks about, and since when nobody does: what is followed is derived from it, always anew. */
export class InterestStore {
  private readonly redis: RedisClient & Scripts;

  constructor(redis: RedisClient) {
    for (const [name, lua] of Object.entries({
      recordInterest,
      readInterest,
      ageOfInterest,
      forgetInterest,
    })) {
      redis.defineCommand(name, { numberOfKeys: 1, lua });
    }
    this.redis = redis as RedisClient & Scripts;
  }

  /**
   * `refused`: nobody asked about the job set before, and there are `mostJobSets` that somebody asks about; about, since each shard
   * has its part of it. `quiet`: nobody has asked for a while.
   */
  async record(key: JobSetKey, mostJobSets = Number.MAX_SAFE_INTEGER): Promise<(typeof NOTED)[number]> {
    const mostInShard = Math.ceil(mostJobSets / INTEREST_SHARDS);
    return NOTED[await this.redis.recordInterest(shardKey(key), jobSetTag(key), mostInShard, QUIET_AFTER_MS)];
  }

  /** Milliseconds since somebody asked; `undefined` where nobody did, or it was forgotten. */
  async age(key: JobSetKey): Promise<number | undefined> {
    return (await this.redis.ageOfInterest(shardKey(key), jobSetTag(key))) ?? undefined;
  }

  /** Every demanded job set, a bounded number at a time; one whose interest changes meanwhile may come twice or be missed. */
  async *all(): AsyncGenerator<InterestEntry[]> {
    for (let shard = 0; shard < INTEREST_SHARDS; shard++) {
      const shardName = formatKey({ kind: 'interest', shard });
      for (let first = 0; ; first += READ_AT_ONCE) {
        const [now, ...pairs] = await this.redis.readInterest(shardName, first, first + READ_AT_ONCE - 1);
        const demanded: InterestEntry[] = [];
        for (let i = 0; i < pairs.length; i += 2) {
          const key = parseJobSetTag(pairs[i] ?? '');
          const lastInterestAt = Number(pairs[i + 1]);
          if (key !== undefined) demanded.push({ key, lastInterestAt, age: now - lastInterestAt });
        }
        if (demanded.length > 0) yield demanded;
        if (pairs.length < 2 * READ_AT_ONCE) break;
      }
    }
  }

  /** Forgets a job set, unless somebody asked since it was read. */
  async forget({ key, lastInterestAt }: InterestEntry): Promise<void> {
    await this.redis.forgetInterest(shardKey(key), jobSetTag(key), lastInterestAt);
  }
}

function shardKey(key: JobSetKey): string {
  return formatKey({ kind: 'interest', shard: interestShard(key) });
}
