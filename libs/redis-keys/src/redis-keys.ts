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

/** How many keys show whether Redis takes writes: enough that every master of a Cluster has some. */
export const PROBE_SHARDS = 16;

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
  /** String: a number that only grows, for as long as Redis loses nothing. One ingester replica writes it, in the slot of a group. */
  | { readonly kind: 'rollback'; readonly group: number; readonly replicaId: string }
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

/** What a deployment without a prefix has in the hash tag of its work queue. No prefix may be the same: {@link isKeyPrefix}. */
const SERVICE = 'ajs';
const PREFIX = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

/**
 * Whether a deployment may have this prefix; '' is none. A prefix has no `:`, so no key of one deployment begins as those of another do, and
 * nothing that a hash tag or a pattern of Redis' ACL is made of.
 */
export function isKeyPrefix(text: string): boolean {
  return text === '' || (PREFIX.test(text) && text !== SERVICE);
}

/**
 * The names of everything that one deployment has in Redis: keys and channels. All are built here and nowhere else, but for the parts that
 * the scripts add to a meta key. With a prefix every name begins with it and `:`, so that deployments share a Redis unseen by each other;
 * what is in the hash tags stays the same, but for the work queue's: those of several deployments lie in several slots.
 */
export class RedisKeys {
  /** The prefix of BullMQ's keys: it has a hash tag, since BullMQ's scripts need all of a work queue's keys in one slot. */
  readonly workQueuePrefix: string;
  /** The publish/subscribe channel of read requests. */
  readonly readRequestsChannel: string;
  /** What the channels of {@link ownerChannel} begin with. */
  readonly ownerChannels: string;
  /** All of {@link changesChannel}, as Redis' ACL takes it. */
  readonly changesChannels: string;
  private readonly root: string;

  /** @param prefix as {@link isKeyPrefix} allows it */
  constructor(prefix = '') {
    const begin = prefix === '' ? '' : `${prefix}:`;
    this.root = `${begin}${SERVICE}:`;
    this.workQueuePrefix = `${begin}{${prefix || SERVICE}}`;
    this.readRequestsChannel = `${this.root}read-requests`;
    this.ownerChannels = `${this.root}owner:`;
    this.changesChannels = `${this.root}{*}:changes`;
  }

  /** All keys but those of the work queue, as Redis' ACL takes them. */
  get keyPattern(): string {
    return `${this.root}*`;
  }

  /** Writes a key. */
  format(key: RedisKey): string {
    switch (key.kind) {
      case 'meta':
        return this.metaKey(key.jobSet);
      case 'watched':
        return `${this.ofJobSet(key.jobSet)}watched`;
      case 'bucket':
        return `${this.ofJobSet(key.jobSet)}${key.generation}:r${key.bucket}`;
      case 'failure-details':
      case 'strings':
      case 'uris':
      case 'submitted-uris':
      case 'enrichment':
        return `${this.ofJobSet(key.jobSet)}${key.generation}:${PARTS[key.kind]}`;
      case 'job-index':
        return `${this.ofGroup(key.group)}meta`;
      case 'job-index-jobs':
        return `${this.ofGroup(key.group)}j${key.bucket}`;
      case 'job-index-sets':
        return `${this.ofGroup(key.group)}s${key.bucket}`;
      case 'former-job-index':
        return `${this.root}jobs:${key.shard}`;
      case 'former-job-set-name':
        return `${this.root}set:${key.reference}`;
      case 'interest':
      case 'probe':
        return `${this.root}${key.kind}:${key.shard}`;
      case 'rollback':
        return `${this.root}rollback:{${tagOfGroup(key.group)}}:${key.replicaId}`;
      case 'verdict':
        return `${this.root}verdict:${key.digest}`;
      case 'replicas':
      case 'sweeper':
        return `${this.root}${key.kind}`;
    }
  }

  /** The key of kind `meta`, which most scripts take: they derive the others of the job set from it. */
  metaKey(jobSet: JobSetKey): string {
    return `${this.ofJobSet(jobSet)}meta`;
  }

  /** The inverse of {@link format}; `undefined` for a key that is not one of this deployment. */
  parse(text: string): RedisKey | undefined {
    if (!text.startsWith(this.root)) return undefined;
    const name = text.slice(this.root.length);
    return parseAcross(name) ?? parseOfRollback(name) ?? parseOfJobIndex(name) ?? parseOfJobSet(name);
  }

  /** The sharded publish/subscribe channel of a job set's changes: in the slot of its keys. */
  changesChannel(jobSet: JobSetKey): string {
    return `${this.ofJobSet(jobSet)}changes`;
  }

  /** The publish/subscribe channel that an owner of leases is subscribed to while it is connected; nothing is sent there. */
  ownerChannel(owner: string): string {
    return `${this.ownerChannels}${owner}`;
  }

  private ofJobSet(jobSet: JobSetKey): string {
    return `${this.root}{${jobSetTag(jobSet)}}:`;
  }

  private ofGroup(group: number): string {
    return `${this.root}index:{${tagOfGroup(group)}}:`;
  }
}

const OF_JOB_INDEX = /^index:\{(\d+)\}:(?:meta|([js])(0|[1-9]\d*))$/;
const OF_ROLLBACK = /^rollback:\{(\d+)\}:(.+)$/s;
const OF_JOB_SET = /^\{([^{}:]*)\}:(?:(meta|watched)|([A-Za-z0-9_-]+):(?:([fdusa])|r(0|[1-9]\d*)))$/;
const ACROSS = /^(?:(jobs|interest|probe):(0|[1-9]\d*)|(set|verdict):([0-9a-f]+)|(replicas|sweeper))$/;

function parseAcross(text: string): RedisKey | undefined {
  const across = ACROSS.exec(text);
  if (across === null) return undefined;
  const [, sharded, shard, named, hex = '', single] = across;
  if (sharded !== undefined) {
    const kind = sharded === 'jobs' ? 'former-job-index' : (sharded as 'interest' | 'probe');
    return { kind, shard: Number(shard) };
  }
  if (named === 'set') return { kind: 'former-job-set-name', reference: hex };
  if (named === 'verdict') return { kind: 'verdict', digest: VerdictDigest(hex) };
  return { kind: single === 'sweeper' ? 'sweeper' : 'replicas' };
}

function tagOfGroup(group: number): string {
  const { tag } = JOB_INDEX_GROUPS[group] ?? {};
  if (tag === undefined) throw new RangeError(`the job index has no group ${group}`);
  return tag;
}

function groupOfTag(tag: string | undefined): number | undefined {
  const group = JOB_INDEX_GROUPS.findIndex((each) => each.tag === tag);
  return group < 0 ? undefined : group;
}

function parseOfRollback(text: string): RedisKey | undefined {
  const [, tag, replicaId = ''] = OF_ROLLBACK.exec(text) ?? [];
  const group = groupOfTag(tag);
  return group === undefined ? undefined : { kind: 'rollback', group, replicaId };
}

function parseOfJobIndex(text: string): RedisKey | undefined {
  const [, tag, table, bucket] = OF_JOB_INDEX.exec(text) ?? [];
  const group = groupOfTag(tag);
  if (group === undefined) return undefined;
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
