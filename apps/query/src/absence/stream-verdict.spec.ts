import { JobId, RedisTime, addMs, toMs } from '@ajs/job-state';
import type { SubscriptionView } from '@ajs/job-store';
import { ulidAt } from '@ajs/testing';
import { streamVerdict, type StreamVerdict } from './stream-verdict.js';

const NOW = RedisTime(1_795_493_148_000);
const ARRIVED_MS_AGO = 500;
const GRACE_MS = 30_000;

/** @param idAgeMs the age of the id; `undefined`: it is no ULID */
function verdict(
  subscription: Partial<SubscriptionView> | undefined,
  idAgeMs: number | undefined,
  graceMs = GRACE_MS,
): StreamVerdict {
  const jobId = JobId(idAgeMs === undefined ? 'no-ulid' : ulidAt(toMs(NOW) - idAgeMs));
  const view = {
    now: NOW,
    ...(subscription !== undefined && {
      subscription: { state: 'live' as const, reason: '', ...subscription },
    }),
  };
  return streamVerdict(jobId, view, addMs(NOW, -ARRIVED_MS_AGO), graceMs);
}

const ago = (ms: number): RedisTime => addMs(NOW, -ms);
const LONG_AGO = 3_600_000;
/** It is read again in a minute. */
const SCHEDULED = { nextReadAt: addMs(NOW, 60_000) };

describe('of a job without a record, the stream of its job set says', () => {
  it.each<[string, Partial<SubscriptionView> | undefined, StreamVerdict]>([
    ['nothing where the job set is not followed', undefined, 'unread'],
    ['nothing where it was never synced', {}, 'unread'],
    ['nothing by a read that began before the poll', { ...SCHEDULED, syncedAt: ago(501) }, 'unread'],
    ['that it is absent by a read that began with the poll', { ...SCHEDULED, syncedAt: ago(500) }, 'absent'],
    ['that it is absent by a read that began after the poll', { ...SCHEDULED, syncedAt: ago(499) }, 'absent'],
    [
      'that it is absent by a live watch with a heartbeat just before 2 s ago',
      { syncedAt: ago(1_999) },
      'absent',
    ],
    ['nothing by a live watch with a heartbeat 2 s ago', { syncedAt: ago(2_000) }, 'unread'],
    ['nothing by a live watch with a heartbeat more than 2 s ago', { syncedAt: ago(2_001) }, 'unread'],
    ['nothing where a watch is being reopened', { state: 'connecting', syncedAt: ago(1_999) }, 'unread'],
    ['that it is absent where the queue is gone', { state: 'gone', syncedAt: ago(0) }, 'absent'],
  ])('%s', (_, subscription, expected) => {
    expect(verdict(subscription, LONG_AGO)).toBe(expected);
    expect(verdict(subscription, undefined)).toBe(expected);
  });

  it.each<[string, number, StreamVerdict]>([
    [
      'that it may not be published yet where its id is a millisecond younger than the grace',
      GRACE_MS - 1,
      'unpublished',
    ],
    ['that it is absent where its id is as old as the grace', GRACE_MS, 'absent'],
    ['that it is absent where its id is a millisecond older than the grace', GRACE_MS + 1, 'absent'],
    ['that it may not be published yet where its id was made at this moment', 0, 'unpublished'],
    ['that it may not be published yet where its id is from the future', -1, 'unpublished'],
    ['that it may not be published yet where its id is from the far future', -LONG_AGO, 'unpublished'],
  ])('%s', (_, idAgeMs, expected) => {
    for (const subscription of [{ syncedAt: ago(0) }, { ...SCHEDULED, syncedAt: ago(0) }]) {
      expect(verdict(subscription, idAgeMs)).toBe(expected);
    }
    expect(verdict({ ...SCHEDULED, syncedAt: ago(501) }, idAgeMs)).toBe('unread');
  });

  it('that every job is absent where there is no grace, but for ids from the future', () => {
    expect(verdict({ syncedAt: ago(0) }, 0, 0)).toBe('absent');
    expect(verdict({ syncedAt: ago(0) }, -1, 0)).toBe('unpublished');
  });
});
