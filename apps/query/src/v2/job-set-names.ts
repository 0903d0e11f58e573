import type { JobSetKey } from '@ajs/job-state';
import { INTEREST_SHARDS, parseJobSetTag } from '@ajs/redis-keys';
import { fromRedis } from '../store/redis-read.js';
import { invalidRequest } from './error-info.js';

/** After so many job sets that the caller may not see, a page ends as it is. */
const MAX_HIDDEN = 1_000;

export interface NamesRequest {
  /** Empty: every queue. */
  readonly queue: string;
  readonly limit: number;
  /** Where the page before ended. */
  readonly after: NamesPosition | undefined;
  /** Those of the queues whose job sets the caller may see. May reject. */
  readonly allowedQueues: (queues: Iterable<string>) => Promise<ReadonlySet<string>>;
}

/** The shard, and the tag of the last job set of it that was listed ('' for none). Callers can read it: it names none that they may not see. */
export type NamesPosition = readonly [shard: string, tag: string];

export interface NamesPage {
  readonly keys: readonly JobSetKey[];
  /** Left out where no job sets follow. */
  readonly next?: NamesPosition;
}

/**
 * The job sets that this service has: those that somebody was interested in, until they are deleted. Listed shard by shard, each in the
 * order of its tags, so that a job set that stays is listed exactly once. A page reads whole shards until it is full.
 */
export class JobSetNames {
  /** @param tagsOf the tags in a shard of the interest, in no order */
  constructor(private readonly tagsOf: (shard: number) => Promise<readonly string[]>) {}

  async list({ queue, limit, after = ['0', ''], allowedQueues }: NamesRequest): Promise<NamesPage> {
    let [shard, from] = [Number(after[0]), after[1]];
    if (!Number.isInteger(shard) || shard < 0) throw invalidRequest('page_token names no shard');
    const keys: JobSetKey[] = [];
    for (let hidden = 0; shard < INTEREST_SHARDS; shard++, from = '') {
      if (hidden >= MAX_HIDDEN) return { keys, next: [`${shard}`, ''] };
      const found = await this.jobSetsIn(shard, queue, from);
      const allowed = await allowedQueues(found.map(([, key]) => key.queue));
      for (const [tag, key] of found) {
        if (!allowed.has(key.queue)) {
          hidden++;
          continue;
        }
        if (keys.length === limit) return { keys, next: [`${shard}`, from] };
        keys.push(key);
        from = tag;
      }
    }
    return { keys };
  }

  /** Those behind a tag, in their order. */
  private async jobSetsIn(
    shard: number,
    queue: string,
    from: string,
  ): Promise<[tag: string, key: JobSetKey][]> {
    const found: [string, JobSetKey][] = [];
    for (const tag of Array.from(await fromRedis(this.tagsOf(shard))).sort()) {
      const key = parseJobSetTag(tag);
      if (tag > from && key !== undefined && (queue === '' || key.queue === queue)) found.push([tag, key]);
    }
    return found;
  }
}
