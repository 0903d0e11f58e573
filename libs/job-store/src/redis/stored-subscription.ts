import { ArmadaTime, RedisTime } from '@ajs/job-state';
import { SUBSCRIPTION_STATES, type SubscriptionState, type SubscriptionView } from '../ports.js';
import type { StoredSubscription } from '../scripts/jobs-reply.js';
import { subscriptionView } from '../subscription-view.js';

/** What a reader at this time may conclude of a subscription. */
export function toSubscription(now: RedisTime, stored: StoredSubscription): SubscriptionView {
  return subscriptionView(now, {
    ...toReport(stored),
    heartbeatAt: RedisTime(Number(stored.heartbeat)),
    nextReadAt: stored.nextRead === '' ? undefined : RedisTime(Number(stored.nextRead)),
    readAt: stored.synced === '' ? undefined : RedisTime(Number(stored.synced)),
    aheadSince: stored.aheadSince === '' ? undefined : ArmadaTime(Number(stored.aheadSince)),
  });
}

function toReport({ state, reason }: StoredSubscription): Pick<SubscriptionView, 'state' | 'reason'> {
  if (isSubscriptionState(state)) return { state, reason };
  return { state: 'connecting', reason: `a newer version of this service reports the state ${state}` };
}

function isSubscriptionState(text: string): text is SubscriptionState {
  return (SUBSCRIPTION_STATES as readonly string[]).includes(text);
}
