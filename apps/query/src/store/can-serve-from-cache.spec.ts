import { ArmadaTime, RedisTime, addMs, toMs, type JobState } from '@ajs/job-state';
import type { SubscriptionView } from '@ajs/job-store';
import { canServeFromCache, isBackedByStream } from './can-serve-from-cache.js';

const NOW = RedisTime(1_000_000);
const GRACE = 30_000;

function served(
  subscription: SubscriptionView['state'] | undefined,
  more: { syncedAgo?: number; provisionalAgo?: number; state?: JobState; isScheduled?: boolean } = {},
): boolean {
  const {
    syncedAgo,
    provisionalAgo,
    isScheduled,
    state = provisionalAgo === undefined ? 'RUNNING' : 'SUBMITTED',
  } = more;
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
          ...(isScheduled === true && { nextReadAt: addMs(NOW, 60_000) }),
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
      expect(served(subscription, { syncedAgo: 14_999 })).toBe(true);
      expect(served(subscription, { syncedAgo: 15_000 })).toBe(false);
    }
  });

  it('is not the whole answer where the job set is read on a schedule, and was not read lately', () => {
    const isScheduled = true;
    expect(served('live', { isScheduled, syncedAgo: 14_999 })).toBe(true);
    expect(served('live', { isScheduled, syncedAgo: 15_000 })).toBe(false);
    expect(served('live', { isScheduled })).toBe(false);
    expect(served('live', { isScheduled, syncedAgo: 15_000, provisionalAgo: GRACE - 1 })).toBe(true);
    expect(served('live', { isScheduled, syncedAgo: 15_000, state: 'FAILED' })).toBe(true);
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

describe('a stream stands behind the cached state of a job', () => {
  const backed = (
    subscription: SubscriptionView | undefined,
    status: Partial<Parameters<typeof isBackedByStream>[0]> = {},
  ): boolean =>
    isBackedByStream(
      { state: 'RUNNING', changedAt: ArmadaTime(1), ...status },
      { now: NOW, ...(subscription !== undefined && { subscription }) },
      GRACE,
    );
  const syncedAgo = (ms: number) => ({ syncedAt: addMs(NOW, -ms) });
  const FAILING = { state: 'connecting', reason: 'UNAUTHENTICATED' } as const;

  it.each<[string, SubscriptionView | undefined, boolean]>([
    ['while it is watched', { state: 'live', reason: '' }, true],
    [
      'while it is read on a schedule, however seldom',
      { state: 'live', reason: '', nextReadAt: addMs(NOW, 1), ...syncedAgo(60_000) },
      true,
    ],
    ['while it is read for the first time', { state: 'catching-up', reason: '' }, true],
    ['while it is opened', { state: 'connecting', reason: '' }, true],
    ['while it is read, whatever failed before', { state: 'catching-up', reason: 'UNAVAILABLE' }, true],
    ['while it is watched, whatever failed before', { state: 'live', reason: 'UNAVAILABLE' }, true],
    ['for 15 s after it began to fail', { ...FAILING, ...syncedAgo(14_999) }, true],
    ['no longer', { ...FAILING, ...syncedAgo(15_000) }, false],
    ['never where it fails from the beginning', FAILING, false],
    ['not where it is denied', { state: 'denied', reason: '', ...syncedAgo(0) }, false],
    ['not where its queue is gone', { state: 'gone', reason: '', ...syncedAgo(0) }, false],
    ['not where no ingester reports', { state: 'stalled', reason: '', ...syncedAgo(0) }, false],
    ['not where there is none', undefined, false],
  ])('%s', (_, subscription, expected) => {
    expect(backed(subscription)).toBe(expected);
    expect(backed(subscription, { state: 'FAILED' })).toBe(true);
  });

  it('until it should have shown a job that was submitted through this service, and not of what api.Jobs reported', () => {
    const provisional = (ago: number) =>
      ({ provisional: true, changedAt: ArmadaTime(toMs(NOW) - ago) }) as const;
    const live = { state: 'live', reason: '' } as const;
    expect(backed(live, { state: 'SUBMITTED', ...provisional(GRACE - 1) })).toBe(true);
    expect(backed(live, { state: 'SUBMITTED', ...provisional(GRACE) })).toBe(false);
    expect(backed(live, { state: 'SUBMITTED', ...provisional(GRACE + 1) })).toBe(false);
    expect(backed(live, { state: 'QUEUED', ...provisional(0) })).toBe(false);
    expect(backed(live, { reported: true })).toBe(false);
    expect(backed({ state: 'denied', reason: '' }, { state: 'SUBMITTED', ...provisional(0) })).toBe(false);
  });
});
