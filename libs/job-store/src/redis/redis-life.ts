import type { JobId, JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '../client/redis-client.js';
import { packJobIds, unpackJobId } from '../codec/job-id-codec.js';
import { parseStateCounts, unfinishedIn } from '../codec/state-counts.js';
import type { JobSetLife } from '../ports.js';
import { readJobsReply, recordsOf } from '../scripts/jobs-reply.js';
import { withScripts, type Scripts } from '../scripts/scripts.js';
import { JobIndex } from './job-index.js';

/** The time to live under every key of a job set: what it removes, every replica has failed to. Seconds. */
export function keyTtlSeconds(deleteAfterPollMs: number): number {
  return Math.ceil((2 * deleteAfterPollMs) / 1000) + 86_400;
}

/** The life of job sets in Redis 7.0 or later, single or Cluster. */
export class RedisJobSetLife implements JobSetLife {
  private readonly redis: RedisClient & Scripts;
  private readonly index: JobIndex;

  constructor(
    redis: RedisClient,
    private readonly ttlSeconds: number,
  ) {
    this.redis = withScripts(redis);
    this.index = new JobIndex(redis);
  }

  async touch(key: JobSetKey): Promise<boolean> {
    const touched = await this.redis.touchJobSet(this.redis.ownKeys.metaKey(key), this.ttlSeconds);
    await this.index.renew(this.ttlSeconds);
    return touched === 1;
  }

  async unfinished(key: JobSetKey): Promise<number | undefined> {
    const meta = this.redis.ownKeys.metaKey(key);
    const [text, ofLayout1] = await this.redis.hmget(meta, 'counts', 'unfinished');
    if (typeof ofLayout1 === 'string') return Number(ofLayout1);
    const counts = parseStateCounts(text ?? '');
    return counts.size === 0 ? undefined : unfinishedIn(counts);
  }

  async remove(key: JobSetKey, idleMs: number): Promise<boolean> {
    const meta = this.redis.ownKeys.metaKey(key);
    const [generation, buckets] = await this.redis.removeJobSet(meta, idleMs);
    if (generation === undefined) return false;
    // Out of reach already; one bucket at a time, so that no step takes Redis long. What a crash leaves goes by its time to live.
    for (let bucket = 0; bucket < Number(buckets); bucket++) {
      const bucketKey = this.redis.ownKeys.format({ kind: 'bucket', jobSet: key, generation, bucket });
      const jobIds = (await this.redis.hkeysBuffer(bucketKey)).map(unpackJobId);
      await this.index.remove(key, jobIds, this.ttlSeconds);
      // Of a job set that was begun anew meanwhile: what it has again must be found.
      await this.index.add(key, await this.presentOf(meta, jobIds), this.ttlSeconds);
      await this.redis.unlink(bucketKey);
    }
    if ((await this.redis.exists(meta)) === 0) await this.index.removeJobSet(key, this.ttlSeconds);
    for (const kind of ['failure-details', 'strings', 'uris', 'submitted-uris', 'enrichment'] as const) {
      await this.redis.unlink(this.redis.ownKeys.format({ kind, jobSet: key, generation }));
    }
    return true;
  }

  /** Those of the jobs that the job set has. */
  private async presentOf(meta: string, jobIds: readonly JobId[]): Promise<JobId[]> {
    const reply = readJobsReply(await this.redis.readJobsBuffer(meta, packJobIds(jobIds)), jobIds.length);
    const records = recordsOf(reply, jobIds.length);
    return jobIds.filter((_, i) => records[i] !== undefined);
  }
}
