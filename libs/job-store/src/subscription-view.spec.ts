import { ArmadaTime, RedisTime } from '@ajs/job-state';
import { STALLED_AFTER_MS } from './ports.js';
import { subscriptionView, type SubscriptionFacts } from './subscription-view.js';

const NOW = 1_800_000_000_000;
const at = (agoMs: number): RedisTime => RedisTime(NOW - agoMs);
const viewOf = (facts: Partial<SubscriptionFacts>) =>
  subscriptionView(at(0), {
    state: 'live',
    reason: '',
    heartbeatAt: at(0),
    nextReadAt: undefined,
    readAt: at(0),
    aheadSince: undefined,
    ...facts,
  });

describe('a subscription', () => {
  it('is stalled once nobody has written for longer than an owner is silent, and says for how long', () => {
    expect(viewOf({ heartbeatAt: at(STALLED_AFTER_MS) }).state).toBe('live');
    expect(viewOf({ heartbeatAt: at(STALLED_AFTER_MS + 1_000) })).toMatchObject({
      state: 'stalled',
      reason: 'no ingester has written for 16 s',
    });
  });

  it('is not stalled before its next read has been due for as long', () => {
    const heartbeatAt = at(600_000);
    expect(viewOf({ heartbeatAt, nextReadAt: at(-60_000) }).state).toBe('live');
    expect(viewOf({ heartbeatAt, nextReadAt: at(STALLED_AFTER_MS) }).state).toBe('live');
    expect(viewOf({ heartbeatAt, nextReadAt: at(STALLED_AFTER_MS + 1) })).toMatchObject({
      state: 'stalled',
      reason: 'no ingester has written for 600 s',
    });
  });

  it('is stalled while the events of a live one lag, and synced as of before; one that is not live keeps its reason', () => {
    const aheadSince = ArmadaTime(NOW - 60_000);
    expect(viewOf({ aheadSince })).toEqual({
      state: 'stalled',
      reason: "Armada's events lag behind its api.Jobs by 60 s",
      syncedAt: at(60_000),
    });
    expect(viewOf({ aheadSince, state: 'denied', reason: 'no permission' })).toMatchObject({
      state: 'denied',
      reason: 'no permission',
    });
  });

  it('is not synced as of a moment that is still to come: Redis’ clock was set back', () => {
    expect(viewOf({ readAt: at(0) }).syncedAt).toBe(at(0));
    expect(viewOf({ readAt: at(-1) })).not.toHaveProperty('syncedAt');
  });
});
