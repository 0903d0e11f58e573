import { laterOf, msBetween, type ArmadaTime, type RedisTime } from '@ajs/job-state';
import { eventLagMs, eventLagReason, syncedBefore } from './event-lag.js';
import { STALLED_AFTER_MS, type SubscriptionView } from './ports.js';

/** What is stored of a subscription. */
export interface SubscriptionFacts extends Pick<SubscriptionView, 'state' | 'reason'> {
  readonly heartbeatAt: RedisTime;
  readonly nextReadAt: RedisTime | undefined;
  /** As of when the stream was read. */
  readonly readAt: RedisTime | undefined;
  /** The time of the oldest state that `api.Jobs` reported and the stream has not shown. */
  readonly aheadSince: ArmadaTime | undefined;
}

/** What a reader at this time may conclude: a subscription of which nobody has written for long, or whose events lag, is stalled. */
export function subscriptionView(now: RedisTime, facts: SubscriptionFacts): SubscriptionView {
  const { readAt, aheadSince, nextReadAt } = facts;
  const syncedAt = syncedBefore(aheadSince, readAt);
  return {
    ...stateAt(now, facts),
    // One to come is from before Redis' clock was set back: it proves nothing of what happened since.
    ...(syncedAt !== undefined && syncedAt <= now && { syncedAt }),
    ...(nextReadAt !== undefined && { nextReadAt }),
  };
}

function stateAt(now: RedisTime, facts: SubscriptionFacts): Pick<SubscriptionView, 'state' | 'reason'> {
  const { state, reason, heartbeatAt, readAt, aheadSince } = facts;
  if (isSilent(now, facts)) {
    const silentMs = msBetween(heartbeatAt, now);
    return { state: 'stalled', reason: `no ingester has written for ${Math.round(silentMs / 1000)} s` };
  }
  const lagMs = eventLagMs(aheadSince, readAt);
  if (state === 'live' && lagMs > 0) return { state: 'stalled', reason: eventLagReason(lagMs) };
  return { state, reason };
}

/** Whether no owner has written for long, although one should have. */
export function isSilent(
  now: RedisTime,
  { heartbeatAt, nextReadAt = heartbeatAt }: Pick<SubscriptionFacts, 'heartbeatAt' | 'nextReadAt'>,
): boolean {
  return msBetween(laterOf(heartbeatAt, nextReadAt), now) > STALLED_AFTER_MS;
}
