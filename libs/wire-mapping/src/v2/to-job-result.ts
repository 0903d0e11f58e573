import {
  AbsenceKind,
  SubscriptionState,
  type Freshness,
  type Job,
  type JobRef,
  type JobResult,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { Cursor, RedisTime } from '@ajs/job-state';
import { LONGEST_REASON, cutToBytes } from '../bounds.js';
import { optionalTimestamp } from '../timestamps.js';

/** How a job set stands, as far as freshness depends on it. */
export interface FreshnessFacts {
  readonly state: 'connecting' | 'catching-up' | 'live' | 'stalled' | 'denied' | 'gone';
  readonly reason: string;
  readonly syncedAt?: RedisTime;
  readonly nextReadAt?: RedisTime;
}

const SUBSCRIPTION_STATE: Record<FreshnessFacts['state'], SubscriptionState> = {
  connecting: SubscriptionState.SUBSCRIPTION_STATE_CONNECTING,
  'catching-up': SubscriptionState.SUBSCRIPTION_STATE_CATCHING_UP,
  live: SubscriptionState.SUBSCRIPTION_STATE_LIVE,
  stalled: SubscriptionState.SUBSCRIPTION_STATE_STALLED,
  denied: SubscriptionState.SUBSCRIPTION_STATE_DENIED,
  gone: SubscriptionState.SUBSCRIPTION_STATE_GONE,
};

/** How up to date a job set is, as `jobservice.v2` shows it. Redis' clock is shown as the time. */
export function toFreshness(facts: FreshnessFacts, cursor: Cursor): Freshness {
  const { state, reason, syncedAt, nextReadAt } = facts;
  return {
    state: SUBSCRIPTION_STATE[state],
    reason: cutToBytes(reason, LONGEST_REASON),
    syncedAt: optionalTimestamp(syncedAt),
    nextReadAt: optionalTimestamp(nextReadAt),
    cursor,
  };
}

/**
 * Why there is no job to show.
 * - `not-synced`: it may exist.
 * - `not-found`: it does not, on the word of two witnesses (P6).
 * - `expired`: it existed, and its events are gone.
 */
export type Absent = 'not-synced' | 'not-found' | 'expired';

const ABSENCE_KIND: Record<Absent, AbsenceKind> = {
  'not-synced': AbsenceKind.ABSENCE_KIND_NOT_SYNCED,
  'not-found': AbsenceKind.ABSENCE_KIND_NOT_FOUND,
  expired: AbsenceKind.ABSENCE_KIND_EXPIRED,
};

/** What is known of a job of a request that has a record. */
export function toJobResult(ref: JobRef, job: Job, freshness: Freshness | undefined): JobResult {
  return { ref, result: { $case: 'job', value: job }, freshness };
}

/** What is known of a job of a request that there is none to show of. */
export function toAbsentResult(
  ref: JobRef,
  absent: Absent,
  reason: string,
  freshness: Freshness | undefined,
): JobResult {
  const absence = { kind: ABSENCE_KIND[absent], reason: cutToBytes(reason, LONGEST_REASON) };
  return { ref, result: { $case: 'absence', value: absence }, freshness };
}
