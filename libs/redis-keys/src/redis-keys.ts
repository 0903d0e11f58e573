import type { JobSetKey } from '@ajs/job-state';
import { Generation } from './generation.js';
import { jobSetTag, parseJobSetTag } from './job-set-tag.js';
import { shardOf } from './shard.js';
import { VerdictDigest } from './verdict-digest.js';

/** How many hashes share the index from job to job set: below 128 entries each (Redis' compact form) up to 4 million jobs. */
export const JOB_INDEX_SHARDS = 32_768;

/** How many sorted sets share the interest in job sets, so that Redis Cluster spreads it. */
export const INTEREST_SHARDS = 16;

/** How many numbers detect that Redis went back in time: enough that every master of a Cluster has some. */
export const ROLLBACK_SHARDS = 16;

/** How many keys show whether Redis takes writes: as above. */
export const PROBE_SHARDS = 16;

/** The prefix of BullMQ's keys: a hash tag, since its scripts need all of a work queue's keys in one slot. */
export const WORK_QUEUE_PREFIX = '{ajs}';

/** The publish/subscribe channel of read requests. */
export const READ_REQUESTS_CHANNEL = 'ajs:read-requests';

/** What the channels of {@link ownerChannel} begin with. */
export const OWNER_CHANNELS = 'ajs:owner:';

/** The publish/subscribe channel that an owner of leases is subscribed to while it is connected; nothing is sent there. */
export const ownerChannel = (owner: string): string => `${OWNER_CHANNELS}${owner}`;

/** Every key of a job set shares the hash tag `{queue/jobSet}`, so that one script can touch them all. */
export type RedisKey =
  /** Hash: cursor, generation, revision, subscription, counts. */
  | { readonly kind: 'meta'; readonly jobSet: JobSetKey }
  /** String with a short life: somebody watches the job set's changes. */
  | { readonly kind: 'watched'; readonly jobSet: JobSetKey }
  /** Hash: job id → record, the part of them that falls in this bucket. */
  | {
      readonly kind: 'bucket';
      readonly jobSet: JobSetKey;
      readonly generation: Generation;
      readonly bucket: number;
    }
  /** Hash: job id → why it failed or was cancelled. */
  | { readonly kind: 'failure-details'; readonly jobSet: JobSetKey; readonly generation: Generation }
  /** Hash: number → a string (cluster, node, pool, …) that records refer to by its number. */
  | { readonly kind: 'strings'; readonly jobSet: JobSetKey; readonly generation: Generation }
  /** Hash: external URI → the job ids that carry it as their annotation. */
  | { readonly kind: 'uris'; readonly jobSet: JobSetKey; readonly generation: Generation }
  /** Hash: external URI → the job ids that were submitted with it, as far as forwarded submits show. */
  | { readonly kind: 'submitted-uris'; readonly jobSet: JobSetKey; readonly generation: Generation }
  /** Hash: job id → what only Armada's own `api.Jobs` knows of it. */
  | { readonly kind: 'enrichment'; readonly jobSet: JobSetKey; readonly generation: Generation }
  /** Hash: hash of a job id → reference of its job set. */
  | { readonly kind: 'job-index'; readonly shard: number }
  /** String: the tag of the job set that a reference stands for. */
  | { readonly kind: 'job-set-name'; readonly reference: string }
  /** Sorted set: tag of a job set → when it was last polled. */
  | { readonly kind: 'interest'; readonly shard: number }
  /** String: a number that only grows, for as long as Redis loses nothing. */
  | { readonly kind: 'rollback'; readonly shard: number }
  /** String with a short life: shows that this service may write here. */
  | { readonly kind: 'probe'; readonly shard: number }
  /** Hash: ingester replica → how many watches it holds, how many job sets wait for one there, and when it said so. */
  | { readonly kind: 'replicas' }
  /** String: Armada's verdict on a caller's credential; the digest is of credential and queue, under a secret. */
  | { readonly kind: 'verdict'; readonly digest: VerdictDigest }
  /** String: the replica that sweeps, for a time. */
  | { readonly kind: 'sweeper' };

/** What the keys of a generation begin with; the scripts add `r0`, `r1`, … (buckets) or one of these. */
const PARTS = {
  'failure-details': 'f',
  strings: 'd',
  uris: 'u',
  'submitted-uris': 's',
  enrichment: 'a',
} as const;

/** Writes a key. All keys are built here and nowhere else, but for the parts that the scripts add to a meta key. */
export function formatKey(key: RedisKey): string {
  switch (key.kind) {
    case 'meta':
      return `ajs:{${jobSetTag(key.jobSet)}}:meta`;
    case 'watched':
      return `ajs:{${jobSetTag(key.jobSet)}}:watched`;
    case 'bucket':
      return `${generationPrefix(key.jobSet, key.generation)}r${key.bucket}`;
    case 'failure-details':
    case 'strings':
    case 'uris':
    case 'submitted-uris':
    case 'enrichment':
      return `${generationPrefix(key.jobSet, key.generation)}${PARTS[key.kind]}`;
    case 'job-index':
      return `ajs:jobs:${key.shard}`;
    case 'job-set-name':
      return `ajs:set:${key.reference}`;
    case 'interest':
      return `ajs:interest:${key.shard}`;
    case 'rollback':
      return `ajs:rollback:${key.shard}`;
    case 'probe':
      return `ajs:probe:${key.shard}`;
    case 'verdict':
      return `ajs:verdict:${key.digest}`;
    case 'replicas':
    case 'sweeper':
      return `ajs:${key.kind}`;
  }
}

/** The sharded publish/subscribe channel of a job set's changes: in the slot of its keys. */
export function changesChannel(jobSet: JobSetKey): string {
  return `ajs:{${jobSetTag(jobSet)}}:changes`;
}

/** All of {@link changesChannel}, as Redis' ACL takes it. */
export const CHANGES_CHANNELS = 'ajs:{*}:changes';

function generationPrefix(jobSet: JobSetKey, generation: Generation): string {
  return `ajs:{${jobSetTag(jobSet)}}:${generation}:`;
}

const OF_JOB_SET = /^ajs:\{([^{}:]*)\}:(?:(meta|watched)|([A-Za-z0-9_-]+):(?:([fdusa])|r(0|[1-9]\d*)))$/;
const ACROSS =
  /^ajs:(?:(jobs|interest|rollback|probe):(0|[1-9]\d*)|(set|verdict):([0-9a-f]+)|(replicas|sweeper))$/;

/** The inverse of {@link formatKey}; `undefined` for a key that is not one of ours. */
export function parseKey(text: string): RedisKey | undefined {
  const across = ACROSS.exec(text);
  if (across !== null) {
    const [, sharded, shard, named, hex = '', single] = across;
    if (sharded !== undefined) {
      const kind = sharded === 'jobs' ? 'job-index' : (sharded as 'interest' | 'rollback' | 'probe');
      return { kind, shard: Number(shard) };
    }
    if (named === 'set') return { kind: 'job-set-name', reference: hex };
    if (named === 'verdict') return { kind: 'verdict', digest: VerdictDigest(hex) };
    return { kind: single === 'sweeper' ? 'sweeper' : 'replicas' };
  }
  const [, tag = '', named, generationText, part, bucket] = OF_JOB_SET.exec(text) ?? [];
  const jobSet = parseJobSetTag(tag);
  if (jobSet === undefined) return undefined;
  if (generationText === undefined) return { kind: named === 'watched' ? 'watched' : 'meta', jobSet };
  const generation = Generation(generationText);
  if (bucket !== undefined) return { kind: 'bucket', jobSet, generation, bucket: Number(bucket) };
  const kind = (Object.keys(PARTS) as (keyof typeof PARTS)[]).find((name) => PARTS[name] === part);
  return kind === undefined ? undefined : { kind, jobSet, generation };
}

/** The shard of the interest that a job set is in. */
export function interestShard(jobSet: JobSetKey): number {
  return shardOf(jobSetTag(jobSet), INTEREST_SHARDS);
}
