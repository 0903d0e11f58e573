import { AbsenceKind, SubscriptionState } from '@ajs/contracts/jobservice/v2/job_status_service';
import { Cursor, RedisTime } from '@ajs/job-state';
import { toAbsentResult, toFreshness, type FreshnessFacts } from './to-job-result.js';

const REF = { queue: 'q', jobSet: 's', jobId: 'j' };

describe('freshness', () => {
  it.each<[FreshnessFacts['state'], SubscriptionState]>([
    ['connecting', SubscriptionState.SUBSCRIPTION_STATE_CONNECTING],
    ['catching-up', SubscriptionState.SUBSCRIPTION_STATE_CATCHING_UP],
    ['live', SubscriptionState.SUBSCRIPTION_STATE_LIVE],
    ['stalled', SubscriptionState.SUBSCRIPTION_STATE_STALLED],
    ['denied', SubscriptionState.SUBSCRIPTION_STATE_DENIED],
    ['gone', SubscriptionState.SUBSCRIPTION_STATE_GONE],
  ])('names the state of the subscription: %s', (state, shown) => {
    expect(toFreshness({ state, reason: 'why' }, Cursor('1:2:3:0'))).toEqual({
      state: shown,
      reason: 'why',
      syncedAt: undefined,
      nextReadAt: undefined,
      cursor: '1:2:3:0',
    });
  });

  it('has the times that are known, and at most 4 KiB of the reason', () => {
    const facts = { state: 'live', reason: 'x'.repeat(5_000) } as const;
    const shown = toFreshness({ ...facts, syncedAt: RedisTime(0), nextReadAt: RedisTime(1_500) }, Cursor(''));
    expect(shown).toMatchObject({
      syncedAt: { seconds: '0', nanos: 0 },
      nextReadAt: { seconds: '1', nanos: 500_000_000 },
    });
    expect(shown.reason).toHaveLength(4_096);
  });
});

it.each([
  ['not-synced', AbsenceKind.ABSENCE_KIND_NOT_SYNCED],
  ['not-found', AbsenceKind.ABSENCE_KIND_NOT_FOUND],
  ['expired', AbsenceKind.ABSENCE_KIND_EXPIRED],
] as const)('a job that is %s is a kind of absence of its own', (absent, kind) => {
  expect(toAbsentResult(REF, absent, 'x'.repeat(5_000), undefined)).toEqual({
    ref: REF,
    result: { $case: 'absence', value: { kind, reason: 'x'.repeat(4_096) } },
    freshness: undefined,
  });
});
