import { Generation } from '@ajs/redis-keys';
import type { RedisTime } from '@ajs/job-state';
import { ByteReader } from '../codec/varints.js';
import type { JobsReply } from './scripts.js';

/** What `readJobs-1.lua` replied. */
export interface ReadJobs {
  readonly now: RedisTime;
  /** These two are left out where the job set has no keys. */
  readonly generation?: Generation;
  readonly subscription?: StoredSubscription;
  /**
   * In the order of the question, each behind its length in two bytes: 0 for a job that is not there. Empty where the job set has no keys.
   * A buffer for each costs a thousand jobs more than reading them.
   */
  readonly records: Buffer;
  /** In the order of the question; `undefined` for a job that has none. Empty where it was not asked for. */
  readonly enrichment: readonly (Buffer | undefined)[];
  /** '' where there is none, or enrichment was not asked for. */
  readonly cursor: string;
  /** By the place of their job in the question. */
  readonly failureDetails: ReadonlyMap<number, Buffer>;
}

/** A subscription as meta has it; '' for a moment that is not known. */
export interface StoredSubscription {
  readonly state: string;
  readonly reason: string;
  readonly synced: string;
  readonly heartbeat: string;
  readonly nextRead: string;
  readonly aheadSince: string;
}

/** How many fields of a reply say how the subscription stands. */
export const SUBSCRIPTION_FIELDS = 6;
/** Where the records are in a reply, behind its generation. */
const RECORDS = SUBSCRIPTION_FIELDS;
const NONE: ReadonlyMap<number, Buffer> = new Map();
const EMPTY = Buffer.alloc(0);

/** Takes the reply apart, for a question about so many jobs. */
export function readJobsReply(reply: JobsReply, jobs: number, withEnrichment = false): ReadJobs {
  const [now, generation, ...rest] = reply;
  if (generation === undefined) {
    return { now, records: EMPTY, enrichment: [], cursor: '', failureDetails: NONE };
  }
  const enrichmentTo = RECORDS + 1 + (withEnrichment ? jobs : 0);
  const detailsFrom = enrichmentTo + (withEnrichment ? 1 : 0);
  return {
    now,
    generation: Generation(text(generation)),
    subscription: storedSubscription(rest),
    records: bufferOf(rest[RECORDS]) ?? EMPTY,
    enrichment: rest.slice(RECORDS + 1, enrichmentTo).map(bufferOf),
    cursor: withEnrichment ? text(rest[enrichmentTo]) : '',
    failureDetails: rest.length > detailsFrom ? failureDetailsOf(rest, detailsFrom) : NONE,
  };
}

/** The records one by one, for a question about so many jobs; `undefined` for a job that is not there. */
export function recordsOf({ records }: Pick<ReadJobs, 'records'>, jobs: number): (Buffer | undefined)[] {
  if (records.length === 0) return [];
  const reader = ByteReader.ofParts(records);
  return Array.from({ length: jobs }, () => {
    const length = reader.nextPart();
    return length === 0 ? undefined : reader.bytes(length);
  });
}

/** A subscription as the scripts reply it. */
export function storedSubscription(reply: readonly Value[]): StoredSubscription {
  const [state, reason, synced, heartbeat, nextRead, aheadSince] = reply;
  return {
    state: text(state),
    reason: text(reason),
    synced: text(synced),
    heartbeat: text(heartbeat),
    nextRead: text(nextRead),
    aheadSince: text(aheadSince),
  };
}

type Value = Buffer | number | null | undefined;

function text(value: Value): string {
  return value === null || value === undefined ? '' : String(value);
}

function bufferOf(value: Value): Buffer | undefined {
  return Buffer.isBuffer(value) ? value : undefined;
}

function failureDetailsOf(rest: readonly Value[], from: number): Map<number, Buffer> {
  const details = new Map<number, Buffer>();
  for (let i = from; i < rest.length; i += 2) {
    const value = rest[i + 1];
    if (Buffer.isBuffer(value)) details.set(Number(rest[i]), value);
  }
  return details;
}
