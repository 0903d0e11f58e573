import type { JobSetKey } from '@ajs/job-state';
import { Generation } from './generation.js';
import { jobSetTag, parseJobSetTag } from './job-set-tag.js';
import { shardOf } from './shard.js';
import { VerdictDigest } from './verdict-digest.js';

/**
 * The groups of the index from job to job set: the hash tag of each, and its slot. The slots lie evenly in Redis Cluster's 16,384, so that
 * its masters share the index evenly, and few enough that the jobs of one batch are in the index with a few commands.
 */
export const JOB_INDEX_GROUPS: readonly { readonly tag: string; readonly slot: number }[] = [
  { tag: '18', slot: 511 },
  { tag: '1095', slot: 1_539 },
  { tag: '333', slot: 2_563 },
  { tag: '223', slot: 3_586 },
  { tag: '553', slot: 4_613 },
  { tag: '443', slot: 5_636 },
  { tag: '95', slot: 6_651 },
  { tag: '663', slot: 7_686 },
  { tag: '265', slot: 8_704 },
  { tag: '375', slot: 9_729 },
  { tag: '908', slot: 10_746 },
  { tag: '155', slot: 11_779 },
  { tag: '625', slot: 12_804 },
  { tag: '735', slot: 13_829 },
  { tag: '405', slot: 14_854 },
  { tag: '515', slot: 15_879 },
];

/** How many hashes share the job index of versions that had no groups. */
export const FORMER_JOB_INDEX_SHARDS = 32_768;

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
  /** Hash: how large the tables of a group of the job index are. */
  | { readonly kind: 'job-index'; readonly group: number }
  /** Hash: hash of a job id → reference of its job set, or reference → tag of the job set; the part that falls in this bucket. */
  | {
      readonly kind: 'job-index-jobs' | 'job-index-sets';
      readonly group: number;
      readonly bucket: number;
    }
  /** Hash: hash of a job id → reference of its job set. Not written any more. */
  | { readonly kind: 'former-job-index'; readonly shard: number }
  /** String: the tag of the job set that a reference stands for. Not written any more. */
  | { readonly kind: 'former-job-set-name'; readonly reference: string }
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
      return `${groupPrefix(key.group)}meta`;
    case 'job-index-jobs':
      return `${groupPrefix(key.group)}j${key.bucket}`;
    case 'job-index-sets':
      return `${groupPrefix(key.group)}s${key.bucket}`;
    case 'former-job-index':
      return `ajs:jobs:${key.shard}`;
    case 'former-job-set-name':
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

function groupPrefix(group: number): string {
  const { tag } = JOB_INDEX_GROUPS[group] ?? {};
  if (tag === undefined) throw new RangeError(`the job index has no group ${group}`);
  return `ajs:index:{${tag}}:`;
}

const OF_JOB_INDEX = /^ajs:index:\{(\d+)\}:(?:meta|([js])(0|[1-9]\d*))$/;
const OF_JOB_SET = /^ajs:\{([^{}:]*)\}:(?:(meta|watched)|([A-Za-z0-9_-]+):(?:([fdusa])|r(0|[1-9]\d*)))$/;
const ACROSS =
  /^ajs:(?:(jobs|interest|rollback|probe):(0|[1-9]\d*)|(set|verdict):([0-9a-f]+)|(replicas|sweeper))$/;

/** The inverse of {@link formatKey}; `undefined` for a key that is not one of ours. */
export function parseKey(text: string): RedisKey | undefined {
  return parseAcross(text) ?? parseOfJobIndex(text) ?? parseOfJobSet(text);
}

function parseAcross(text: string): RedisKey | undefined {
  const across = ACROSS.exec(text);
  if (across === null) return undefined;
  const [, sharded, shard, named, hex = '', single] = across;
  if (sharded !== undefined) {
    const kind = sharded === 'jobs' ? 'former-job-index' : (sharded as 'interest' | 'rollback' | 'probe');
    return { kind, shard: Number(shard) };
  }
  if (named === 'set') return { kind: 'former-job-set-name', reference: hex };
  if (named === 'verdict') return { kind: 'verdict', digest: VerdictDigest(hex) };
  return { kind: single === 'sweeper' ? 'sweeper' : 'replicas' };
}

function parseOfJobIndex(text: string): RedisKey | undefined {
  const [, tag, table, bucket] = OF_JOB_INDEX.exec(text) ?? [];
  const group = JOB_INDEX_GROUPS.findIndex((each) => each.tag === tag);
  if (group < 0) return undefined;
  if (table === undefined) return { kind: 'job-index', group };
  return { kind: table === 'j' ? 'job-index-jobs' : 'job-index-sets', group, bucket: Number(bucket) };
}

function parseOfJobSet(text: string): RedisKey | undefined {
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
