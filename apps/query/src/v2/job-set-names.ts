import type { JobSetKey } from '@ajs/job-state';
import { INTEREST_SHARDS, parseJobSetTag } from '@ajs/redis-keys';
import { invalidRequest } from './error-info.js';

export interface NamesRequest {
  /** Empty: every queue. */
  readonly queue: string;
  readonly limit: number;
  /** Where the page before ended. */
  readonly after: NamesPosition | undefined;
}

/** The shard, and the tag of the last job set of it that was listed ('' for none). */
export type NamesPosition = [shard: string, tag: string];

export interface NamesPage {
  readonly keys: readonly JobSetKey[];
  /** Left out where no job sets follow. */
  readonly next?: NamesPosition;
}

/**
 * The job sets that this service has: those that somebody was interested in, until they are deleted. Listed shard by shard, each in the
 * order of its tags, so that a job set that stays is listed exactly once. A page reads shards until it is full.
 */
export class JobSetNames {
  /** @param tagsOf the tags in a shard of the interest, in no order */
  constructor(private readonly tagsOf: (shard: number) => Promise<readonly string[]>) {}

  async list({ queue, limit, after = ['0', ''] }: NamesRequest): Promise<NamesPage> {
    let [shard, from] = [Number(after[0]), after[1]];
    if (!Number.isInteger(shard) || shard < 0) throw invalidRequest('page_token names no shard');
    const keys: JobSetKey[] = [];
    for (; shard < INTEREST_SHARDS; shard++, from = '') {
      const tags = Array.from(await this.tagsOf(shard)).sort();
      for (const tag of tags) {
        const key = parseJobSetTag(tag);
        if (tag <= from || key === undefined || (queue !== '' && key.queue !== queue)) continue;
        if (keys.length === limit) return { keys, next: [`${shard}`, from] };
        keys.push(key);
        from = tag;
      }
    }
    return { keys };
  }
}
