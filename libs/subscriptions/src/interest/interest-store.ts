import type { JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { INTEREST_SHARDS, interestShard, jobSetTag, parseJobSetTag, type JobSetTag } from '@ajs/redis-keys';
import forgetInterest from './lua/forgetInterest-1.lua';
import recordInterest from './lua/recordInterest-1.lua';
import readInterest from './lua/readInterest-1.lua';
import readPolls from './lua/readPolls-1.lua';

interface Scripts {
  recordInterest(
    shard: string,
    tag: JobSetTag,
    maxInShard: number,
    quietMs: number,
    polls: number,
  ): Promise<0 | 1 | 2 | 3>;
  readInterest(shard: string, first: number, last: number): Promise<[now: number, ...string[]]>;
  readPolls(shard: string, tag: JobSetTag): Promise<[age: number, perMinute: string] | null>;
  forgetInterest(shard: string, tag: JobSetTag, lastInterestAt: number): Promise<number>;
}

/** A job set with interest: it was polled. */
export interface InterestEntry {
  readonly key: JobSetKey;
  /** When it was polled last: milliseconds since the epoch, by Redis' clock. Its fraction is how often it is polled. */
  readonly lastInterestAt: number;
  /** Milliseconds from then until it was read. */
  readonly age: number;
}

/** How a job set is polled. */
export interface Polls {
  /** Milliseconds since the last one that was recorded. */
  readonly age: number;
  /** A moving average over about a minute, as of then, of the polls of all callers together. */
  readonly perMinute: number;
}

/** What `recordInterest` returns. */
const RESULTS = ['known', 'new', 'refused', 'quiet'] as const;
/** What came of recording a poll: see {@link InterestStore.record}. */
export type RecordedInterest = (typeof RESULTS)[number];

/** A job set that was not polled for this long is quiet: it may be read rarely by now. Milliseconds. */
const QUIET_AFTER_MS = 30_000;
const PAGE_SIZE = 500;

/** Which job sets are polled, and when each was last: what is followed is derived from it, always anew. */
export class InterestStore {
  private readonly redis: RedisClient & Scripts;

  constructor(redis: RedisClient) {
    for (const [name, lua] of Object.entries({
      recordInterest,
      readInterest,
      readPolls,
      forgetInterest,
    })) {
      redis.defineCommand(name, { numberOfKeys: 1, lua });
    }
    this.redis = redis as RedisClient & Scripts;
  }

  /**
   * Records polls: so many since the caller recorded the last ones. `refused`: the job set had no interest before, and `maxJobSets` have (more or less, since each shard has its part of the
   * limit). `quiet`: it was not polled for a while.
   */
  async record(key: JobSetKey, maxJobSets = Number.MAX_SAFE_INTEGER, polls = 1): Promise<RecordedInterest> {
    const maxInShard = Math.ceil(maxJobSets / INTEREST_SHARDS);
    return RESULTS[
      await this.redis.recordInterest(this.shardKeyOf(key), jobSetTag(key), maxInShard, QUIET_AFTER_MS, polls)
    ];
  }

  /** Milliseconds since the last poll; `undefined` where there was none, or it was forgotten. */
  async age(key: JobSetKey): Promise<number | undefined> {
    return (await this.polls(key))?.age;
  }

  /** How a job set is polled; `undefined` where it was not, or that was forgotten. */
  async polls(key: JobSetKey): Promise<Polls | undefined> {
    const reply = await this.redis.readPolls(this.shardKeyOf(key), jobSetTag(key));
    return reply === null ? undefined : { age: reply[0], perMinute: Number(reply[1]) };
  }

  /** Every job set with interest, a bounded number at a time; one that is polled meanwhile may come twice or be missed. */
  async *all(): AsyncGenerator<InterestEntry[]> {
    for (let shard = 0; shard < INTEREST_SHARDS; shard++) {
      const shardName = this.shardKey(shard);
      for (let first = 0; ; first += PAGE_SIZE) {
        const [now, ...pairs] = await this.redis.readInterest(shardName, first, first + PAGE_SIZE - 1);
        const entries: InterestEntry[] = [];
        for (let i = 0; i < pairs.length; i += 2) {
          const key = parseJobSetTag(pairs[i] ?? '');
          const lastInterestAt = Number(pairs[i + 1]);
          if (key !== undefined) entries.push({ key, lastInterestAt, age: now - Math.floor(lastInterestAt) });
        }
        if (entries.length > 0) yield entries;
        if (pairs.length < 2 * PAGE_SIZE) break;
      }
    }
  }

  /** The tags of the job sets with interest that are in a shard, in no order. */
  tagsIn(shard: number): Promise<readonly string[]> {
    return this.redis.zrange(this.shardKey(shard), '0', '-1');
  }

  /** Forgets a job set, unless it was polled since the entry was read. */
  async forget({ key, lastInterestAt }: InterestEntry): Promise<void> {
    await this.redis.forgetInterest(this.shardKeyOf(key), jobSetTag(key), lastInterestAt);
  }

  private shardKeyOf(key: JobSetKey): string {
    return this.shardKey(interestShard(key));
  }

  private shardKey(shard: number): string {
    return this.redis.ownKeys.format({ kind: 'interest', shard });
  }
}
