import { hash } from 'node:crypto';
import { msBetween, type JobId, type JobSetKey, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { JOB_INDEX_GROUPS, jobSetTag, parseJobSetTag } from '@ajs/redis-keys';
import { Cluster } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { RedisClient } from '../client/redis-client.js';
import { withScripts, JOB_HASH_BYTES, type ScriptArgument, type Scripts } from '../scripts/scripts.js';
import { FormerJobIndex } from './former-job-index.js';

/** Of the reference that a job set has in a group, unless another job set has the same. */
const REFERENCE_BYTES = 3;
/** Redis renews no more often than the time to live requires: this only saves the question. */
const RENEW_AFTER_MS = 3_600_000;

const KEYS_CACHED = 10_000;

/** A group of the index: the key of its meta, and its slot. */
interface Group {
  readonly meta: string;
  readonly slot: number;
}

/** Jobs of one group: their ids, and what stands for them in the index. */
interface GroupOfJobs extends Group {
  readonly jobIds: JobId[];
  /** Bytes as characters: a thousand buffers would cost three times as much. */
  hashes: string;
}

/**
 * The job index: from a job's id to its job set. It lies in other slots than the job set, so it can be ahead of the records (it is
 * written before them), or stay when they are gone: whoever uses it reads the job set itself. A job id is known here by 52 bits of a
 * hash, which two of a million jobs share once in 10,000 times; then `api.Jobs` asks Armada for one of them.
 *
 * Each call is one command, on Redis Cluster one for each node that has some of the jobs.
 */
export class JobIndex {
  private readonly redis: RedisClient & Scripts;
  private readonly former: FormerJobIndex;
  private readonly groups: readonly Group[];
  private readonly keys = new LRUCache<string, JobSetKey>({ max: KEYS_CACHED });
  private renewedAt: MonotonicTime | undefined;

  constructor(
    redis: RedisClient,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {
    this.redis = withScripts(redis);
    this.former = new FormerJobIndex(redis);
    this.groups = JOB_INDEX_GROUPS.map(({ slot }, group) => ({
      meta: redis.ownKeys.format({ kind: 'job-index', group }),
      slot,
    }));
  }

  /** The job set that each job is in, where it is known. Jobs of one job set share the object of its key. */
  async find(jobIds: readonly JobId[]): Promise<Map<JobId, JobSetKey>> {
    const found = new Map<JobId, JobSetKey>();
    await this.atEachNode(this.groupsOf(jobIds), async (meta, groups) => {
      const [served, numbers, ...tags] = await this.redis.findInJobIndexBuffer(meta, ...inArguments(groups));
      const keys = tags.map((tag) => this.keyOf(tag.toString()));
      let at = 0;
      for (const jobId of idsOf(groups.slice(0, served))) {
        const key = keys[numbers.readUInt16BE(at) - 1];
        if (key !== undefined) found.set(jobId, key);
        at += 2;
      }
      return served;
    });
    if (found.size === jobIds.length) return found;
    const missing = jobIds.filter((jobId) => !found.has(jobId));
    if (missing.length > 0) for (const [jobId, key] of await this.former.find(missing)) found.set(jobId, key);
    return found;
  }

  /** Says of these jobs that they are in this job set, on Armada's word: whatever was said of them before. */
  async add(key: JobSetKey, jobIds: Iterable<JobId>, ttlSeconds: number): Promise<void> {
    await this.write('HSET', key, jobIds, ttlSeconds);
  }

  /** As {@link add}, on a caller's word: what was said before stands. Resolves to those of the jobs that are in another job set. */
  async claim(key: JobSetKey, jobIds: readonly JobId[], ttlSeconds: number): Promise<ReadonlySet<JobId>> {
    const elsewhere = new Set<JobId>();
    const tag = jobSetTag(key);
    // The former index has jobs that the scripts do not know of.
    for (const [jobId, before] of await this.find(jobIds)) {
      if (jobSetTag(before) !== tag) elsewhere.add(jobId);
    }
    const free = jobIds.filter((jobId) => !elsewhere.has(jobId));
    for (const jobId of await this.write('HSETNX', key, free, ttlSeconds)) elsewhere.add(jobId);
    return elsewhere;
  }

  /** Takes jobs of this job set out. */
  async remove(key: JobSetKey, jobIds: readonly JobId[], ttlSeconds: number): Promise<void> {
    await this.removeFrom(this.groupsOf(jobIds), key, ttlSeconds);
  }

  /** Takes the job set itself out, behind all its jobs. */
  async removeJobSet(key: JobSetKey, ttlSeconds: number): Promise<void> {
    await this.removeFrom(this.groups.map(emptyGroup), key, ttlSeconds);
  }

  /** Keeps the index alive: for those who call it again and again as long as any job set is polled. */
  async renew(ttlSeconds: number): Promise<void> {
    const before = this.renewedAt;
    const now = this.now();
    if (before !== undefined && msBetween(before, now) < RENEW_AFTER_MS) return;
    this.renewedAt = now;
    try {
      await Promise.all(this.groups.map(({ meta }) => this.redis.renewJobIndex(meta, ttlSeconds)));
    } catch (error) {
      this.renewedAt = before;
      throw error;
    }
  }

  private keyOf(tag: string): JobSetKey | undefined {
    const cached = this.keys.get(tag);
    if (cached !== undefined) return cached;
    const key = parseJobSetTag(tag);
    if (key !== undefined) this.keys.set(tag, key);
    return key;
  }

  private async write(
    command: 'HSET' | 'HSETNX',
    key: JobSetKey,
    jobIds: Iterable<JobId>,
    ttlSeconds: number,
  ): Promise<JobId[]> {
    const tag = jobSetTag(key);
    const elsewhere: JobId[] = [];
    await this.atEachNode(this.groupsOf(jobIds), async (meta, groups) => {
      const [served, ...numbers] = await this.redis.addToJobIndex(
        meta,
        command,
        tag,
        referenceOf(tag),
        ttlSeconds,
        ...inArguments(groups),
      );
      const ids = idsOf(groups);
      elsewhere.push(...numbers.flatMap((number) => ids[number] ?? []));
      return served;
    });
    return elsewhere;
  }

  private async removeFrom(
    groups: readonly GroupOfJobs[],
    key: JobSetKey,
    ttlSeconds: number,
  ): Promise<void> {
    const tag = jobSetTag(key);
    await this.atEachNode(groups, (meta, some) =>
      this.redis.removeFromJobIndex(meta, tag, referenceOf(tag), ttlSeconds, ...inArguments(some)),
    );
  }

  /** Has all groups served, those of a node by one call; those which turn out to be at another node by one more. */
  private async atEachNode(
    groups: readonly GroupOfJobs[],
    serve: (meta: string, groups: readonly GroupOfJobs[]) => Promise<number>,
  ): Promise<void> {
    await Promise.all(
      Array.from(this.byNode(groups), async (ofNode) => {
        for (let rest = ofNode, first = rest[0]; first !== undefined; first = rest[0]) {
          rest = rest.slice(await serve(first.meta, rest));
        }
      }),
    );
  }

  /** The groups that these jobs are in, and no others: most batches have few jobs. */
  private groupsOf(jobIds: Iterable<JobId>): GroupOfJobs[] {
    const found = new Array<GroupOfJobs | undefined>(this.groups.length);
    for (const jobId of jobIds) {
      const digest = hash('sha1', jobId, 'binary');
      const place = digest.charCodeAt(JOB_HASH_BYTES) % this.groups.length;
      const known = this.groups[place];
      if (known === undefined) continue;
      const group = (found[place] ??= emptyGroup(known));
      group.jobIds.push(jobId);
      group.hashes += digest.slice(0, JOB_HASH_BYTES);
    }
    return found.filter((group) => group !== undefined);
  }

  private byNode(groups: readonly GroupOfJobs[]): readonly (readonly GroupOfJobs[])[] {
    if (!(this.redis instanceof Cluster)) return [groups];
    const byNode = new Map<string | undefined, GroupOfJobs[]>();
    for (const group of groups) {
      const node = this.redis.slots[group.slot]?.[0];
      const ofNode = byNode.get(node);
      if (ofNode === undefined) byNode.set(node, [group]);
      else ofNode.push(group);
    }
    return Array.from(byNode.values());
  }
}

function emptyGroup(group: Group): GroupOfJobs {
  return { ...group, jobIds: [], hashes: '' };
}

function referenceOf(tag: string): Buffer {
  return hash('sha1', tag, 'buffer').subarray(0, REFERENCE_BYTES);
}

function idsOf(groups: readonly GroupOfJobs[]): JobId[] {
  return groups.flatMap(({ jobIds }) => jobIds);
}

function inArguments(groups: readonly GroupOfJobs[]): ScriptArgument[] {
  return groups.flatMap(({ meta, hashes }) => [meta, Buffer.from(hashes, 'binary')]);
}
