import type { RedisTime } from '@ajs/job-state';
import type { JobsReply } from '../scripts/scripts.js';

/** What `lua/readJobs-1.lua` told. */
export interface ReadJobs {
  readonly now: RedisTime;
  /** These two are left out where the job set has no keys. */
  readonly generation?: string;
  readonly subscription?: readonly [
    state: string,
    reason: string,
    level: string,
    contact: string,
    next: string,
  ];
  /** In the order of the question; `undefined` for a job that is not there. */
  readonly records: readonly (Buffer | undefined)[];
  /** As {@link records}; empty where they were not asked for. */
  readonly facts: readonly (Buffer | undefined)[];
  /** By the place of their job in the question. */
  readonly reasons: ReadonlyMap<number, Buffer>;
}

const FIXED = 7;
const NOTHING: ReadonlyMap<number, Buffer> = new Map();

/** Takes the reply apart, for a question about so many jobs. */
export function readJobsReply(reply: JobsReply, jobs: number, withFacts = false): ReadJobs {
  const [now, generation, state, reason, level, contact, next] = reply;
  if (generation === undefined) return { now, records: [], facts: [], reasons: NOTHING };
  const reasonsFrom = FIXED + jobs * (withFacts ? 2 : 1);
  return {
    now,
    generation: String(generation),
    subscription: [
      String(state),
      String(reason),
      String(level),
      String(contact),
      next === null ? '' : String(next),
    ],
    records: buffers(reply, FIXED, FIXED + jobs),
    facts: buffers(reply, FIXED + jobs, reasonsFrom),
    reasons: reply.length > reasonsFrom ? reasonsOf(reply, reasonsFrom) : NOTHING,
  };
}

function buffers(reply: JobsReply, from: number, to: number): (Buffer | undefined)[] {
  const found: (Buffer | undefined)[] = [];
  for (let i = from; i < to; i++) {
    const one = reply[i];
    found.push(Buffer.isBuffer(one) ? one : undefined);
  }
  return found;
}

function reasonsOf(reply: JobsReply, from: number): Map<number, Buffer> {
  const reasons = new Map<number, Buffer>();
  for (let i = from; i < reply.length; i += 2) {
    const told = reply[i + 1];
    if (Buffer.isBuffer(told)) reasons.set(Number(reply[i]), told);
  }
  return reasons;
}
