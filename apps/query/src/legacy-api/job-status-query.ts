import { monotonicNow } from '@ajs/platform';
import { addMs, isTerminal, msBetween, type JobSetKey, type RedisTime, type JobId } from '@ajs/job-state';
import type { JobLister, JobSetView, JobStatus, SubscriptionView } from '@ajs/job-store';
import type { LRUCache } from 'lru-cache';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import type { Caller } from '../caller.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { fromRedis } from '../store/redis-read.js';

/** The answer on one job. */
export type Answer =
  /** Its state; `subscription` is as of when it was read. */
  | { readonly kind: 'resolved'; readonly status: JobStatus; readonly subscription?: SubscriptionView }
  /** Armada has no such job: proven by a read that began after the poll arrived. */
  | { readonly kind: 'absent'; readonly subscription: SubscriptionView }
  /** Not resolved in time; a later poll will be, unless the reason says otherwise. */
  | { readonly kind: 'unresolved'; readonly reason: string; readonly subscription?: SubscriptionView };

/** A terminal job that was read once is answered from memory: its state never changes. */
export interface TerminalJob {
  readonly status: JobStatus;
  readonly subscription: SubscriptionView | undefined;
}

export interface JobStatusQueryOptions {
  readonly lister: JobLister;
  readonly noteInterest: NoteInterest;
  /** Why the job set will not be followed, if it will not. */
  readonly refusalOf: (tag: JobSetTag) => string | undefined;
  /** Requests a read of the job set from its owner. */
  readonly requestRead: (key: JobSetKey) => void;
  /** The requested job has a record that this version cannot read. */
  readonly unreadableRecord: (jobId: JobId, reason: string) => void;
  readonly terminalJobs: LRUCache<string, TerminalJob>;
  /** How long a poll of a job that has no record waits for proof of its absence. Milliseconds. */
  readonly waitMs: number;
  /** Waits within the work on a call. May reject. */
  readonly pause: (ms: number) => Promise<void>;
}

/** An event of a live watch that is younger than this proves that the watch is synced (P6). Milliseconds. */
const LIVE_PROOF_MS = 2_000;
/** The answer leaves this long before the caller's deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 100;
const FIRST_RETRY_MS = 15;
const MAX_RETRY_MS = 200;

/** Answers what state a job is in: with one round trip to Redis for a cached job, with none for one that it has read as terminal. */
export class JobStatusQuery {
  constructor(private readonly options: JobStatusQueryOptions) {}

  /** Rejects with RedisReadError, and with RESOURCE_EXHAUSTED where too many calls wait. */
  async run(key: JobSetKey, jobId: JobId, caller: Caller): Promise<Answer> {
    const tag = jobSetTag(key);
    this.options.noteInterest(key, tag, caller);
    const cacheKey = `${tag} ${jobId}`;
    const terminal = this.options.terminalJobs.get(cacheKey);
    if (terminal !== undefined) return resolved(terminal.status, terminal.subscription);

    const now = monotonicNow();
    const answerWithinMs = msBetween(now, caller.deadline) - DEADLINE_MARGIN_MS;
    const until = addMs(now, Math.min(this.options.waitMs, answerWithinMs));
    let arrivedAt: RedisTime | undefined;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      const view = await fromRedis(this.options.lister.read(key, [jobId]));
      const status = view.jobs.get(jobId);
      const { subscription } = view;
      if (status !== undefined && isTerminal(status.state)) {
        this.options.terminalJobs.set(cacheKey, { status, subscription });
        return resolved(status, subscription);
      }
      const left = msBetween(monotonicNow(), until);
      if (status !== undefined) {
        if (left <= 0 || !isFirstCatchUp(status, subscription)) return resolved(status, subscription);
      } else {
        const unreadable = view.unreadable.get(jobId);
        if (unreadable !== undefined) {
          this.options.unreadableRecord(jobId, unreadable);
          const reason = `cannot resolve job ${JSON.stringify(jobId)}: ${unreadable}; upgrade the query replicas`;
          return { ...unresolved(view), reason };
        }
        // By Redis' clock, and at or after the poll's arrival: a read that began later than this began after the poll.
        arrivedAt ??= view.now;
        if (subscription !== undefined && provesAbsence(view.now, subscription, arrivedAt)) {
          return { kind: 'absent', subscription };
        }
        const refusal = this.options.refusalOf(tag);
        if (refusal !== undefined) return { ...unresolved(view), reason: refusal };
        if (left <= 0 || subscription?.state === 'denied') return unresolved(view);
        this.options.requestRead(key);
      }
      await this.options.pause(Math.min(pause, left));
      if (caller.isGone()) return unresolved(view);
    }
  }
}

function provesAbsence(
  now: RedisTime,
  { state, syncedAt, nextReadAt }: SubscriptionView,
  arrivedAt: RedisTime,
): boolean {
  if (syncedAt === undefined) return false;
  const isWatched = state === 'live' && nextReadAt === undefined;
  return syncedAt >= arrivedAt || (isWatched && msBetween(syncedAt, now) < LIVE_PROOF_MS);
}

/**
 * Until the first catch-up is over, a state that comes from the stream may be one that the job left long ago. A connection to Armada
 * that fails is not waited for: that may last.
 */
function isFirstCatchUp({ provisional }: JobStatus, subscription: SubscriptionView | undefined): boolean {
  if (subscription === undefined || subscription.syncedAt !== undefined) return false;
  const { state, reason } = subscription;
  return state === 'catching-up' || (state === 'connecting' && reason === '' && provisional !== true);
}

function resolved(status: JobStatus, subscription: SubscriptionView | undefined): Answer {
  return { kind: 'resolved', status, ...(subscription !== undefined && { subscription }) };
}

function unresolved({ subscription }: JobSetView): Extract<Answer, { kind: 'unresolved' }> {
  if (subscription === undefined) {
    return { kind: 'unresolved', reason: 'the job set is not followed yet: no ingester has taken it up' };
  }
  const { state, reason } = subscription;
  return {
    kind: 'unresolved',
    reason: `${EXPLANATION[state]}${reason === '' ? '' : `: ${reason}`}`,
    subscription,
  };
}

const EXPLANATION: Record<SubscriptionView['state'], string> = {
  connecting: 'the job set is not synced yet: its event stream from Armada is being opened',
  'catching-up': 'the job set is not synced yet: its event stream is being read',
  live: 'the job set is synced, but Armada did not confirm in time that it has no such job',
  stalled: 'the job set is not followed at the moment',
  denied: 'Armada denies this service permission to watch the queue',
  gone: 'the queue does not exist in Armada',
};
