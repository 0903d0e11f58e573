import type { LRUCache } from 'lru-cache';
import { msBetween, type JobSetKey, type RedisTime } from '@ajs/job-state';
import { isTerminal } from '@ajs/job-state';
import type { JobLister, JobSetView, JobStatus, SubscriptionView } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import type { Caller } from '../caller.js';

/** What there is to say of one job. */
export type Answer =
  /** Its state; `subscription` is as of when it was read. */
  | { readonly kind: 'known'; readonly status: JobStatus; readonly subscription?: SubscriptionView }
  /** Armada has no such job: proven by a read that began after the question came. */
  | { readonly kind: 'absent'; readonly subscription: SubscriptionView }
  /** Not settled in time; asking again later will settle it, unless the reason says otherwise. */
  | { readonly kind: 'unsettled'; readonly reason: string; readonly subscription?: SubscriptionView };

/** An ended job that was read once is answered from memory: its state never changes. */
export interface TerminalJob {
  readonly status: JobStatus;
  readonly subscription: SubscriptionView | undefined;
}

export interface JobStatusQueryOptions {
  readonly lister: JobLister;
  /** Takes note of the poll, aside. */
  readonly noteInterest: (key: JobSetKey, tag: string, caller: Caller) => void;
  /** Why the job set will not be followed, if it will not. */
  readonly refusalOf: (tag: string) => string | undefined;
  /** Asks the job set's holder to read at once. */
  readonly requestRead: (key: JobSetKey) => void;
  readonly terminalJobs: LRUCache<string, TerminalJob>;
  /** How long a poll of a job that is not there waits for the proof. Milliseconds. */
  readonly waitMs: number;
  /** Waits within the work on a call. May reject. */
  readonly pause: (ms: number) => Promise<void>;
}

/** An event of a live watch that is younger than this proves that the watch brings what there is (P6). Milliseconds. */
const LIVE_PROOF_MS = 2_000;
/** The answer leaves this long before the caller's deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 100;
const FIRST_LOOK_AGAIN_MS = 15;
const LONGEST_LOOK_AGAIN_MS = 200;

/** Answers what state a job is in. One round trip to Redis for a job that is known, none for one that is known to have ended. */
export class JobStatusQuery {
  constructor(private readonly options: JobStatusQueryOptions) {}

  /** Rejects when Redis does not answer, or too many calls wait. */
  async run(key: JobSetKey, jobId: string, caller: Caller): Promise<Answer> {
    const tag = jobSetTag(key);
    this.options.noteInterest(key, tag, caller);
    const cacheKey = `${tag} ${jobId}`;
    const ended = this.options.terminalJobs.get(cacheKey);
    if (ended !== undefined) return known(ended.status, ended.subscription);

    const until = Math.min(performance.now() + this.options.waitMs, caller.deadline - DEADLINE_MARGIN_MS);
    let arrivedAt: RedisTime | undefined;
    for (let pause = FIRST_LOOK_AGAIN_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_AGAIN_MS)) {
      const view = await this.options.lister.read(key, [jobId]);
      const status = view.jobs.get(jobId);
      const { subscription } = view;
      if (status !== undefined && isTerminal(status.state)) {
        this.options.terminalJobs.set(cacheKey, { status, subscription });
        return known(status, subscription);
      }
      const left = until - performance.now();
      if (status !== undefined) {
        if (left <= 0 || !isFirstCatchUp(status, subscription)) return known(status, subscription);
      } else {
        // By Redis' clock, and at or after the poll's arrival: what began later than this began after the poll.
        arrivedAt ??= view.now;
        if (subscription !== undefined && provesAbsence(view.now, subscription, arrivedAt)) {
          return { kind: 'absent', subscription };
        }
        const refusal = this.options.refusalOf(tag);
        if (refusal !== undefined) return { ...unsettled(view), reason: refusal };
        if (left <= 0 || subscription?.state === 'denied') return unsettled(view);
        this.options.requestRead(key);
      }
      await this.options.pause(Math.min(pause, left));
      if (caller.isGone()) return unsettled(view);
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
 * Until the first catch-up is over a state may be one that the job left long ago, as far as it comes from the stream. Trouble with
 * Armada is not waited for: it may last.
 */
function isFirstCatchUp(
  { provisional: learned }: JobStatus,
  subscription: SubscriptionView | undefined,
): boolean {
  if (subscription === undefined || subscription.syncedAt !== undefined) return false;
  const { state, reason } = subscription;
  return state === 'catching-up' || (state === 'connecting' && reason === '' && learned !== true);
}

function known(status: JobStatus, subscription: SubscriptionView | undefined): Answer {
  return { kind: 'known', status, ...(subscription !== undefined && { subscription }) };
}

function unsettled({ subscription }: JobSetView): Extract<Answer, { kind: 'unsettled' }> {
  if (subscription === undefined) {
    return { kind: 'unsettled', reason: 'the job set is not followed yet; an ingester has not taken it up' };
  }
  const { state, reason } = subscription;
  return {
    kind: 'unsettled',
    reason: `${EXPLANATION[state]}${reason === '' ? '' : `: ${reason}`}`,
    subscription,
  };
}

const EXPLANATION: Record<SubscriptionView['state'], string> = {
  connecting: 'there is no event stream of this job set from Armada yet',
  'catching-up': 'the job set is not caught up yet',
  live: 'the job set is followed, but Armada has not confirmed in time that it has no such job',
  stalled: 'the job set is not followed at the moment',
  denied: 'Armada does not let this service watch the queue',
  gone: 'Armada does not know the queue',
};
