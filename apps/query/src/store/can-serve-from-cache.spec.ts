import { ArmadaTime, RedisTime, addMs, toMs, type JobState } from '@ajs/job-state';
import type { SubscriptionView } from '@ajs/job-store';
import { canServeFromCache } from './can-serve-from-cache.js';

const NOW = RedisTime(1_000_000);
const GRACE = 30_000;

function served(
  subscription: SubscriptionView['state'] | undefined,
  more: { syncedAgo?: number; provisionalAgo?: number; state?: JobState } = {},
): boolean {
  const { syncedAgo, provisionalAgo, state = provisionalAgo === undefined ? 'RUNNING' : 'SUBMITTED' } = more;
  return canServeFromCache(
    {
      state,
      changedAt: ArmadaTime(provisionalAgo === undefined ? 1 : toMs(NOW) - provisionalAgo),
      ...(provisionalAgo !== undefined && { provisional: true }),
    },
    {
      now: NOW,
      ...(subscription !== undefined && {
        subscription: {
          state: subscription,
          reason: '',
          ...(syncedAgo !== undefined && { syncedAt: addMs(NOW, -syncedAgo) }),
        },
      }),
    },
    GRACE,
  );
}

describe('the cached state of a job', () => {
  it('is the whole answer where it is terminal, whatever the state of the subscription', () => {
    for (const subscription of ['denied', 'gone', 'stalled', 'connecting', undefined] as const) {
      expect(served(subscription, { state: 'FAILED' })).toBe(true);
    }
  });

  it('is the whole answer while the job set is followed', () => {
    expect(served('live')).toBe(true);
  });

  it('is not the whole answer where the job set is denied, gone or stalled', () => {
    for (const subscription of ['denied', 'gone', 'stalled'] as const) {
      expect(served(subscription, { syncedAgo: 1 })).toBe(false);
      expect(served(subscription, { provisionalAgo: 1 })).toBe(false);
    }
  });

  it('is not the whole answer before the first catch-up, but stays it while a stream is reopened', () => {
    for (const subscription of ['connecting', 'catching-up'] as const) {
      expect(served(subscription)).toBe(false);
      expect(served(subscription, { syncedAgo: 14_000 })).toBe(true);
      expect(served(subscription, { syncedAgo: 16_000 })).toBe(false);
    }
  });

  it('is not the whole answer for a job resolved from Armada until its stream has shown it', () => {
    expect(served('live', { state: 'RUNNING', provisionalAgo: 1, syncedAgo: 1 })).toBe(false);
  });

  it('is the whole answer for a job submitted through this service until its stream should have shown it', () => {
    for (const subscription of ['live', 'connecting', 'catching-up', undefined] as const) {
      expect(served(subscription, { provisionalAgo: GRACE - 1, syncedAgo: 1 })).toBe(true);
      expect(served(subscription, { provisionalAgo: GRACE, syncedAgo: 1 })).toBe(false);
    }
  });
});
