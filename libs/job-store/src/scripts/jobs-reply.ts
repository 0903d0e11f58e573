import { Generation } from '@ajs/redis-keys';
import type { RedisTime } from '@ajs/job-state';
import type { JobsReply } from './scripts.js';

/** What `readJobs-1.lua` replied. */
export interface ReadJobs {
  readonly now: RedisTime;
  /** These two are left out where the job set has no keys. */
  readonly generation?: Generation;
  readonly subscription?: StoredSubscription;
  /** In the order of the question; `undefined` for a job that is not there. */
  readonly records: readonly (Buffer | undefined)[];
  /** As {@link records}; empty where it was not asked for. */
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

const FIXED = 8;
const NONE: ReadonlyMap<number, Buffer> = new Map();

/** Takes the reply apart, for a question about so many jobs. */
export function readJobsReply(reply: JobsReply, jobs: number, withEnrichment = false): ReadJobs {
  const [now, generation, ...rest] = reply;
  if (generation === undefined) return { now, records: [], enrichment: [], cursor: '', failureDetails: NONE };
  const enrichmentTo = FIXED + jobs * (withEnrichment ? 2 : 1);
  const detailsFrom = enrichmentTo + (withEnrichment ? 1 : 0);
  return {
    now,
    generation: Generation(text(generation)),
    subscription: storedSubscription(rest),
    records: buffers(reply, FIXED, FIXED + jobs),
    enrichment: buffers(reply, FIXED + jobs, enrichmentTo),
    cursor: withEnrichment ? text(rest[enrichmentTo - 2]) : '',
    failureDetails: reply.length > detailsFrom ? failureDetailsOf(reply, detailsFrom) : NONE,
  };
}

/** How many fields of a reply say how the subscription stands. */
export const SUBSCRIPTION_FIELDS = 6;

/** A subscription as the scripts reply it. */
export function storedSubscription(
  reply: readonly (Buffer | number | null | undefined)[],
): StoredSubscription {
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

function text(value: Buffer | number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}

function buffers(reply: JobsReply, from: number, to: number): (Buffer | undefined)[] {
  const values: (Buffer | undefined)[] = [];
  for (let i = from; i < to; i++) {
    const value = reply[i];
    values.push(Buffer.isBuffer(value) ? value : undefined);
  }
  return values;
}

function failureDetailsOf(reply: JobsReply, from: number): Map<number, Buffer> {
  const details = new Map<number, Buffer>();
  for (let i = from; i < reply.length; i += 2) {
    const value = reply[i + 1];
    if (Buffer.isBuffer(value)) details.set(Number(reply[i]), value);
  }
  return details;
}
