import { createHash } from 'node:crypto';
import { JobState, SubscriptionState } from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, RedisTime, type JobRecord } from '@ajs/job-state';
import type { SubscriptionReport } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { INTEREST_SHARDS } from '@ajs/redis-keys';
import { eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { testCaller } from '../testing/test-caller.js';
import { JobSetNames, type NamesPosition } from './job-set-names.js';
import { KEY, V2Harness } from './testing/v2-harness.js';

const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});
const REQUEST = { queue: 'q', jobSet: 's' };

/** A page token of a list, as anybody can make it. */
function tokenOf(list: readonly string[], text: string): string {
  const sum = createHash('sha256')
    .update(`${JSON.stringify(list)}\n${text}`)
    .digest()
    .subarray(0, 6);
  return Buffer.concat([sum, Buffer.from(text)]).toString('base64url');
}

describe('GetJobSet', () => {
  it('has counts, freshness and owner, and counts as interest', async () => {
    const harness = new V2Harness();
    await harness.write({ a: record('RUNNING'), b: record('RUNNING'), c: record('FAILED') });
    const { jobSet } = await harness.api.getJobSet(REQUEST, testCaller());
    expect(jobSet).toMatchObject({
      ...REQUEST,
      followed: true,
      freshness: { state: SubscriptionState.SUBSCRIPTION_STATE_LIVE, cursor: '1:0:0:1' },
    });
    expect(jobSet?.counts).toEqual([
      { state: JobState.JOB_STATE_RUNNING, count: '2' },
      { state: JobState.JOB_STATE_FAILED, count: '1' },
    ]);
    expect(jobSet?.owner).not.toBe('');
    expect(harness.interest).toEqual([KEY]);
  });

  it('shows when a job set was first seen and changed last, and no owner where it is not followed any more', async () => {
    const harness = new V2Harness();
    await harness.write({});
    const { store } = harness;
    const describe = store.describe.bind(store);
    store.describe = async (keys) =>
      (await describe(keys)).map(
        (summary) =>
          summary && {
            ...summary,
            ...{ isFollowed: false, owner: 'gone' },
            ...{ firstSeenAt: RedisTime(1_000), lastChangeAt: ArmadaTime(2_000) },
          },
      );
    const { jobSet } = await harness.api.getJobSet(REQUEST, testCaller());
    expect(jobSet).toMatchObject({
      ...{ followed: false, owner: '' },
      firstSeenAt: { seconds: '1' },
      lastChangeAt: { seconds: '2' },
    });
  });

  it('leaves out what is not known of a job set that nobody has taken up yet', async () => {
    const harness = new V2Harness();
    const { jobSet } = await harness.api.getJobSet(REQUEST, testCaller());
    expect(jobSet).toMatchObject({
      ...REQUEST,
      counts: [],
      freshness: undefined,
      followed: false,
      owner: '',
    });
    expect(harness.interest).toEqual([KEY]);
  });

  it('waits for the first sync of a job set', async () => {
    const harness = new V2Harness({ waitMs: 60_000 });
    await harness.write({}, { state: 'catching-up', reason: '' });
    const answer = harness.api.getJobSet(REQUEST, testCaller());
    await harness.write({ a: record('RUNNING') });
    expect((await answer).jobSet?.counts).toHaveLength(1);
  });

  it.each<[string, { waitMs?: number; state?: SubscriptionReport['state']; caller?: Partial<Caller> }]>([
    ['its time is over', { waitMs: 20 }],
    ['its caller has no time left', { caller: { deadline: monotonicNow() } }],
    ['Armada denies it', { state: 'denied' }],
  ])('answers without a sync where %s', async (_, { waitMs = 60_000, state = 'catching-up', caller }) => {
    const harness = new V2Harness({ waitMs });
    await harness.write({}, { state, reason: '' });
    let answer: unknown;
    void harness.api.getJobSet(REQUEST, testCaller(caller)).then((response) => (answer = response));
    await eventually('it answers', () => answer !== undefined, 2_000);
    expect(answer).toMatchObject({ jobSet: { freshness: { syncedAt: undefined } } });
  });

  it('waits no longer for a caller that has gone', async () => {
    const harness = new V2Harness({ waitMs: 60_000 });
    let error: unknown;
    harness.api.getJobSet(REQUEST, testCaller({ isGone: () => true })).catch((why: unknown) => (error = why));
    await eventually('it ends', () => error !== undefined, 2_000);
    expect(error).toMatchObject({ code: status.CANCELLED });
  });

  it('is denied to who may not watch the queue, and NOT_FOUND where there is none', async () => {
    const harness = new V2Harness();
    harness.verdictOn = () => 'no';
    await expect(harness.api.getJobSet(REQUEST, testCaller())).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    harness.verdictOn = () => 'no-queue';
    await expect(harness.api.getJobSet(REQUEST, testCaller())).rejects.toMatchObject({
      code: status.NOT_FOUND,
      reason: 'QUEUE_NOT_FOUND',
    });
    expect(harness.interest).toEqual([]);
  });
});

describe('ListJobs', () => {
  let harness: V2Harness;
  beforeEach(async () => {
    harness = new V2Harness();
    await harness.write({ a: record('RUNNING'), b: record('FAILED'), c: record('RUNNING') });
  });

  it('has every job once over its pages, and those in the states that are wanted', async () => {
    const first = await harness.listJobs({ pageSize: 2 });
    expect(first.jobs.map(({ ref }) => ref?.jobId)).toEqual(['a', 'b']);
    expect(first.freshness?.cursor).toBe('1:0:0:1');
    const second = await harness.listJobs({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second.jobs.map(({ ref }) => ref?.jobId)).toEqual(['c']);
    expect(second.nextPageToken).toBe('');
    const running = await harness.listJobs({ states: [JobState.JOB_STATE_RUNNING] });
    expect(running.jobs.map(({ ref }) => ref?.jobId)).toEqual(['a', 'c']);
  });

  it('waits for the first sync of a job set', async () => {
    harness = new V2Harness({ waitMs: 60_000 });
    await harness.write({}, { state: 'catching-up', reason: '' });
    const answer = harness.listJobs();
    await harness.write({ a: record('RUNNING') });
    expect((await answer).jobs).toHaveLength(1);
  });

  it('is empty for a job set that nobody has taken up yet', async () => {
    expect(await harness.listJobs({ jobSet: 'other' })).toEqual({
      jobs: [],
      nextPageToken: '',
      freshness: undefined,
    });
  });

  it.each(['one-part', '0.', 'g no position', 'g 4294967296.', 'g  0.'])(
    'rejects a token that was made by hand, of %s',
    async (text) => {
      const pageToken = tokenOf(['jobs', 'q', 's'], text);
      await expect(harness.listJobs({ pageToken })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    },
  );

  it('rejects a token of another list, one that was cut, a negative size and a number that is no state', async () => {
    const { nextPageToken: pageToken } = await harness.listJobs({ pageSize: 1 });
    for (const request of [
      { jobSet: 'other', pageToken },
      { pageToken: pageToken.slice(1) },
      { pageToken: 'x'.repeat(10_000) },
      { pageSize: -1 },
      { states: [JobState.JOB_STATE_UNSPECIFIED] },
    ]) {
      await expect(harness.listJobs(request)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
  });

  it('says OUT_OF_RANGE where the job set was deleted, or read again from its beginning, between two pages', async () => {
    const { nextPageToken: pageToken } = await harness.listJobs({ pageSize: 1 });
    await harness.store.remove(KEY, 0);
    const expired = { code: status.OUT_OF_RANGE, reason: 'PAGE_TOKEN_EXPIRED' };
    await expect(harness.listJobs({ pageToken })).rejects.toMatchObject(expired);
    await harness.store.open(KEY);
    await expect(harness.listJobs({ pageToken })).rejects.toMatchObject(expired);
  });
});

describe('ListJobSets', () => {
  const list = async (harness: V2Harness, queue = ''): Promise<string[]> => {
    const { jobSets } = await harness.api.listJobSets({ queue, pageSize: 0, pageToken: '' }, testCaller());
    return jobSets.map((jobSet) => `${jobSet.queue}/${jobSet.jobSet}`).sort();
  };

  it('has the job sets of the queues that the caller may watch, and notes no interest', async () => {
    const harness = new V2Harness();
    for (const [queue, jobSetId] of [
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
    ] as const) {
      harness.interest.push({ queue, jobSetId });
    }
    expect(await list(harness)).toEqual(['a/1', 'a/2', 'b/1']);
    expect(await list(harness, 'a')).toEqual(['a/1', 'a/2']);
    harness.verdictOn = (queue) => (queue === 'a' ? 'no' : 'yes');
    expect(await list(harness)).toEqual(['b/1']);
    await expect(list(harness, 'a')).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(harness.interest).toHaveLength(3);
  });

  it('rejects a token of the list of another queue, and one that was made by hand', async () => {
    const harness = new V2Harness();
    for (const jobSetId of ['1', '2']) harness.interest.push({ queue: 'a', jobSetId });
    const page = (queue: string, pageToken = '') =>
      harness.api.listJobSets({ queue, pageSize: 1, pageToken }, testCaller());
    const { nextPageToken } = await page('a');
    for (const token of [
      nextPageToken,
      ...['x a/1', '-1 a/1', '0.5 a/1'].map((text) => tokenOf(['job sets', ''], text)),
    ]) {
      await expect(page('', token)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
  });

  it('fails with the cause where Redis does', async () => {
    const names = new JobSetNames(() => Promise.reject(new Error('Connection is closed.')));
    const allowedQueues = (queues: Iterable<string>) => Promise.resolve(new Set(queues));
    await expect(names.list({ queue: '', limit: 1, after: undefined, allowedQueues })).rejects.toMatchObject({
      name: 'RedisReadError',
      kind: 'unavailable',
    });
  });

  it('shows nothing of job sets that the caller may not see, nor do its page tokens', async () => {
    const harness = new V2Harness();
    const jobSets = Array.from({ length: 60 }, (_, i) => ({
      // Before and behind hers in the order of names.
      queue: ['hers', 'a-hidden', 'z-hidden'][i % 3] ?? '',
      jobSetId: `${i}`,
    }));
    harness.interest.push(...jobSets);
    harness.verdictOn = (queue) => (queue === 'hers' ? 'yes' : 'no');
    const named: string[] = [];
    let pageToken = '';
    do {
      const page = await harness.api.listJobSets({ queue: '', pageSize: 1, pageToken }, testCaller());
      named.push(...page.jobSets.map(({ jobSet }) => jobSet));
      expect(named.length).toBeLessThanOrEqual(jobSets.length);
      pageToken = page.nextPageToken;
      expect(Buffer.from(pageToken, 'base64url').toString('latin1')).not.toContain('hidden');
    } while (pageToken !== '');
    const hers = jobSets.filter(({ queue }) => queue === 'hers').map(({ jobSetId }) => jobSetId);
    expect(named.sort()).toEqual(hers.sort());
  });

  it('goes on behind job sets with the longest names there are, which are longer still once they are escaped', async () => {
    const harness = new V2Harness();
    const jobSetIds = ['/', '%', '"', '\u0001'].map((character) => character.repeat(1_024));
    harness.interest.push(...jobSetIds.map((jobSetId) => ({ queue: ':'.repeat(1_024), jobSetId })));
    const named: string[] = [];
    let pageToken = '';
    do {
      const page = await harness.api.listJobSets({ queue: '', pageSize: 1, pageToken }, testCaller());
      named.push(...page.jobSets.map(({ jobSet }) => jobSet));
      expect(named.length).toBeLessThanOrEqual(jobSetIds.length);
      pageToken = page.nextPageToken;
      // A request has at most 16 KiB, with the name of a queue.
      expect(pageToken.length).toBeLessThan(10_000);
    } while (pageToken !== '');
    expect(named.sort()).toEqual(jobSetIds.sort());
  });

  it('ends a page before it is full, behind a thousand job sets that the caller may not see', async () => {
    const read: number[] = [];
    const names = new JobSetNames((shard) => {
      read.push(shard);
      return Promise.resolve(Array.from({ length: 500 }, (_, i) => `${shard === 2 ? 'q' : 'hidden'}/${i}`));
    });
    const allowedQueues = (queues: Iterable<string>) =>
      Promise.resolve(new Set([...queues].filter((queue) => queue === 'q')));
    const request = { queue: '', limit: 1_000, allowedQueues };
    expect(await names.list({ ...request, after: undefined })).toEqual({ keys: [], next: ['2', ''] });
    expect(read).toEqual([0, 1]);
    const { keys, next } = await names.list({ ...request, after: ['2', ''] });
    expect([keys.length, next]).toEqual([500, ['5', '']]);
  });

  it.each([1, 2, 5])('names each job set once, on pages of %i', async (limit) => {
    const shards = new Map([
      [3, ['q/c', 'q/a', 'q/b']],
      [4, ['other/x']],
      [INTEREST_SHARDS - 1, ['q/z']],
    ]);
    const names = new JobSetNames((shard) => Promise.resolve(shards.get(shard) ?? []));
    for (const [queue, expected] of [
      ['', ['a', 'b', 'c', 'x', 'z']],
      ['q', ['a', 'b', 'c', 'z']],
    ] as const) {
      const named: string[] = [];
      let after: NamesPosition | undefined;
      do {
        const page = await names.list({
          queue,
          limit,
          after,
          allowedQueues: (queues) => Promise.resolve(new Set(queues)),
        });
        expect(page.keys.length).toBeLessThanOrEqual(limit);
        named.push(...page.keys.map(({ jobSetId }) => jobSetId));
        expect(named.length).toBeLessThanOrEqual(expected.length);
        after = page.next;
      } while (after !== undefined);
      expect(named).toEqual(expected);
    }
  });
});
