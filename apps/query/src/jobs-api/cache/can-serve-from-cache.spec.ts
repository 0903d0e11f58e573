import { addMs, RedisTime, toMs, type JobState } from '@ajs/job-state';
import type { SubscriptionView } from '@ajs/job-store';
import { canServeFromCache } from './can-serve-from-cache.js';

const NOW = RedisTime(1_000_000);
const GRACE = 30_000;

function current(
  subscription: SubscriptionView['state'] | undefined,
  more: { levelAgo?: number; learnedAgo?: number; state?: JobState } = {},
): boolean {
  const { levelAgo, learnedAgo, state = learnedAgo === undefined ? 'RUNNING' : 'SUBMITTED' } = more;
  return canServeFromCache(
    {
      state,
      changedAt: learnedAgo === undefined ? 1 : toMs(NOW) - learnedAgo,
      ...(learnedAgo !== undefined && { provisional: true }),
    },
    {
      now: NOW,
      ...(subscription !== undefined && {
        subscription: {
          state: subscription,
          reason: '',
          ...(levelAgo !== undefined && { syncedAt: addMs(NOW, -levelAgo) }),
        },
      }),
    },
    GRACE,
  );
}

describe('the cache’s word on a job', () => {
  it('is the whole answer where the job has ended, whatever became of the subscription', () => {
    for (const subscription of ['denied', 'gone', 'stalled', 'connecting', undefined] as const) {
      expect(current(subscription, { state: 'FAILED' })).toBe(true);
    }
  });

  it('is the whole answer while the job set is followed', () => {
    expect(current('live')).toBe(true);
  });

  it('is not where the job set is refused, gone or stalled', () => {
    for (const subscription of ['denied', 'gone', 'stalled'] as const) {
      expect(current(subscription, { levelAgo: 1 })).toBe(false);
      expect(current(subscription, { learnedAgo: 1 })).toBe(false);
    }
  });

  it('is not before the first catch-up, and goes on to be while a stream is made again', () => {
    for (const subscription of ['connecting', 'catching-up'] as const) {
      expect(current(subscription)).toBe(false);
      expect(current(subscription, { levelAgo: 14_000 })).toBe(true);
      expect(current(subscription, { levelAgo: 16_000 })).toBe(false);
    }
  });

  it('on a job that was looked up is not, until its stream has shown it', () => {
    expect(current('live', { state: 'RUNNING', learnedAgo: 1, levelAgo: 1 })).toBe(false);
  });

  it('on a job that was submitted through us is, until its stream should have shown it', () => {
    for (const subscription of ['live', 'connecting', 'catching-up', undefined] as const) {
      expect(current(subscription, { learnedAgo: GRACE - 1, levelAgo: 1 })).toBe(true);
      expect(current(subscription, { learnedAgo: GRACE, levelAgo: 1 })).toBe(false);
    }
  });
});
