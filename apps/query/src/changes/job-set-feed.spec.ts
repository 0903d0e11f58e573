import { ArmadaTime, Cursor, JobId, type JobRecord, type JobSetKey, type JobState } from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import { ManualClock, eventually } from '@ajs/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobListener } from './job-listeners.js';
import type { JobSetChange, JobSetFeed } from './job-set-feed.js';
import { JobSetFeeds } from './job-set-feeds.js';
import { LossyChanges } from './testing/lossy-changes.js';

const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };
const CALLER = { key: 'a caller' };
const [A, B] = [JobId('a'), JobId('b')];

let clock: ManualClock;
let changes: LossyChanges;
let feeds: JobSetFeeds;
let writer: JobSetWriter;
/** In whose names interest was noted. */
let interest: unknown[];
let counts: number[];
/** Why the job set is not followed. */
let refusal: string | undefined;
let missed: number;
let errors: string[];

beforeEach(async () => {
  clock = new ManualClock();
  changes = new LossyChanges();
  interest = [];
  counts = [];
  refusal = undefined;
  missed = 0;
  errors = [];
  feeds = new JobSetFeeds(
    {
      changes,
      lister: changes,
      noteInterest: (_key, _tag, caller) => interest.push(caller?.key),
      refusalOf: (_, { key }) => (key === CALLER.key ? refusal : undefined),
      onCount: (feeds) => counts.push(feeds),
      onMissed: () => missed++,
      onError: ({ message }) => errors.push(message),
    },
    clock,
  );
  writer = await changes.store.open(KEY);
});
afterEach(() => {
  feeds.close();
});

const record = (state: JobState): JobRecord => ({ state, runNumber: 1, changedAt: ArmadaTime(1) });
async function write(jobs: Partial<Record<string, JobState>>): Promise<void> {
  const records = Object.entries(jobs).map(([id, state = 'QUEUED']) => [JobId(id), record(state)] as const);
  await writer.write({
    cursor: Cursor('1:0:0:1'),
    records: new Map(records),
    subscription: { state: 'live', reason: '' },
  });
}
/** Collects the states that a job is heard in. */
function statesOf(feed: JobSetFeed, jobId: JobId): { told: (JobState | undefined)[]; stop: () => void } {
  const told: (JobState | undefined)[] = [];
  const listener: JobListener = { job: ({ job }) => told.push(job?.record.state) };
  feed.listenTo(jobId, listener);
  return { told, stop: () => feed.stopListeningTo(jobId, listener) };
}
const told = (states: readonly unknown[], last: JobState) =>
  eventually(`${last} is told`, () => states.at(-1) === last);
/** The states that job A is heard in, once the first of them was heard. */
async function statesFrom(first: JobState): Promise<readonly (JobState | undefined)[]> {
  await write({ a: first });
  const { told: states } = statesOf(feeds.of(KEY, CALLER), A);
  await told(states, first);
  return states;
}
async function beginAnew(): Promise<void> {
  await changes.store.remove(KEY, 0);
  writer = await changes.store.open(KEY);
  await write({ a: 'QUEUED' });
}

describe('a feed of the changes of a job set', () => {
  it('gives a listener the state of its job, then each change, and nothing of other jobs', async () => {
    await write({ a: 'QUEUED', b: 'QUEUED' });
    const { told: a } = statesOf(feeds.of(KEY, CALLER), A);
    await told(a, 'QUEUED');
    await write({ b: 'RUNNING' });
    await write({ a: 'RUNNING' });
    await write({ a: 'SUCCEEDED', b: 'FAILED' });
    expect(a).toEqual(['QUEUED', 'RUNNING', 'SUCCEEDED']);
  });

  it('has one subscription and reads nothing while nothing is lost, however many listen', async () => {
    await write({ a: 'QUEUED' });
    const listeners = Array.from({ length: 50 }, () => statesOf(feeds.of(KEY, CALLER), A));
    for (const { told: each } of listeners) await told(each, 'QUEUED');
    const { reads } = changes;
    await write({ a: 'SUCCEEDED' });
    for (const { told: each } of listeners) expect(each).toEqual(['QUEUED', 'SUCCEEDED']);
    expect([changes.subscriptions, changes.reads - reads, missed]).toEqual([1, 0, 0]);
  });

  it.each([
    ['before the job is read', () => changes.release()],
    ['while the job is read', () => (changes.whileReading = () => changes.release())],
  ])(
    'tells a new listener nothing older than its job as it came, where notices come late: %s',
    async (_, release) => {
      const first = await statesFrom('QUEUED');
      changes.holdsNotices = true;
      await write({ a: 'LEASED' });
      await write({ a: 'RUNNING' });
      const { told: second } = statesOf(feeds.of(KEY, CALLER), A);
      release();
      await told(second, 'RUNNING');
      expect(second).not.toContain('LEASED');
      await write({ a: 'SUCCEEDED' });
      for (const each of [first, second]) await told(each, 'SUCCEEDED');
    },
  );

  it('gives a job that does not exist yet once it does', async () => {
    const { told: b } = statesOf(feeds.of(KEY, CALLER), B);
    await eventually('it follows', () => changes.subscriptions === 1);
    await write({ b: 'QUEUED' });
    await told(b, 'QUEUED');
  });

  it('notices by the next notice that one was lost', async () => {
    const a = await statesFrom('QUEUED');
    changes.losesNotices = true;
    await write({ a: 'SUCCEEDED' });
    changes.losesNotices = false;
    await write({ b: 'QUEUED' });
    await told(a, 'SUCCEEDED');
    expect(missed).toBe(1);
  });

  it('notices without any further notice that the last one was lost, and subscribes again', async () => {
    const a = await statesFrom('QUEUED');
    changes.losesNotices = true;
    await write({ a: 'SUCCEEDED' });
    await clock.pass(4_000);
    await told(a, 'SUCCEEDED');
    expect([missed, changes.renewals]).toEqual([1, 1]);
  });

  it('subscribes again, and reads what changed while its connection was lost, as soon as it has another', async () => {
    const a = await statesFrom('QUEUED');
    changes.losesNotices = true;
    await write({ a: 'SUCCEEDED' });
    changes.losesNotices = false;
    changes.interrupt();
    await told(a, 'SUCCEEDED');
    expect(changes.renewals).toBe(1);
  });

  it('subscribes once more where its connection is lost again meanwhile', async () => {
    const feed = feeds.of(KEY, CALLER);
    statesOf(feed, A);
    await eventually('it follows', () => feed.moment !== undefined);
    let goOn = (): void => undefined;
    changes.beforeSubscribe = () => new Promise<void>((resolve) => (goOn = resolve));
    changes.interrupt();
    changes.interrupt();
    changes.beforeSubscribe = () => undefined;
    goOn();
    expect(await feed.check()).toBe(true);
    expect(changes.renewals).toBe(2);
  });

  it.each<[string, () => unknown]>([
    ['its connection was lost', () => changes.interrupt()],
    ['a notice was lost', () => clock.pass(4_000)],
  ])(
    'follows only with a subscription, and has what is newer read at each check before, where %s and it cannot subscribe again',
    async (_, lose) => {
      const a = await statesFrom('QUEUED');
      const feed = feeds.of(KEY, CALLER);
      changes.failsSubscriptions = true;
      changes.losesNotices = true;
      await write({ a: 'LEASED' });
      await lose();
      expect(await feed.check()).toBe(false);
      expect(await feed.check()).toBe(false);
      await told(a, 'LEASED');
      await write({ a: 'RUNNING' });
      await clock.pass(2_000);
      await told(a, 'RUNNING');
      changes.failsSubscriptions = false;
      changes.losesNotices = false;
      expect(await feed.check()).toBe(true);
      await write({ a: 'SUCCEEDED' });
      await told(a, 'SUCCEEDED');
    },
  );

  it('has what changed read at each check where Redis lets nobody subscribe', async () => {
    changes.failsSubscriptions = true;
    const a = await statesFrom('QUEUED');
    await write({ a: 'SUCCEEDED' });
    await clock.pass(2_000);
    await told(a, 'SUCCEEDED');
    expect(errors).toContain('Command timed out');
  });

  it('takes no notice for lost that came before it knew where the job set stands, nor one that comes twice', async () => {
    await write({ a: 'QUEUED' });
    let endLook = (): void => undefined;
    changes.afterWatch = () => new Promise<void>((resolve) => (endLook = resolve));
    const { told: a } = statesOf(feeds.of(KEY, CALLER), A);
    await eventually('it looks', () => changes.subscriptions === 1);
    await write({ a: 'LEASED' });
    endLook();
    await told(a, 'LEASED');
    await write({ a: 'RUNNING' });
    changes.repeat();
    await write({ a: 'SUCCEEDED' });
    expect(a).toEqual(['LEASED', 'RUNNING', 'SUCCEEDED']);
    expect([missed, changes.reads]).toEqual([0, 1]);
  });

  it('reads what changed while Redis was unavailable, as soon as it is back', async () => {
    const a = await statesFrom('QUEUED');
    changes.losesNotices = true;
    changes.isAway = true;
    changes.interrupt();
    await write({ a: 'SUCCEEDED' });
    await clock.pass(10_000);
    expect(a).toEqual(['QUEUED']);
    expect(errors).toContain('Connection is closed.');
    changes.isAway = false;
    changes.losesNotices = false;
    await clock.pass(2_000);
    await told(a, 'SUCCEEDED');
  });

  it('follows a job set into its next generation', async () => {
    const a = await statesFrom('SUCCEEDED');
    await beginAnew();
    await told(a, 'QUEUED');
  });

  it('has all of it read where a job set has a new generation, though its revisions go on from those of the former one', async () => {
    const feed = feeds.of(KEY, CALLER);
    const heard: string[] = [];
    feed.listen({ changed: () => heard.push('changed'), missed: () => heard.push('missed') });
    await eventually('it follows', () => feed.moment !== undefined);
    expect(heard).toEqual(['missed']);
    await beginAnew();
    expect(heard).toEqual(['missed', 'missed']);
  });

  it('notices by one check that a job set has a new generation, though no notice came of it', async () => {
    const a = await statesFrom('SUCCEEDED');
    changes.losesNotices = true;
    await beginAnew();
    await clock.pass(2_000);
    await told(a, 'QUEUED');
    expect(missed).toBe(0);
  });

  it('resolves a check, though another one is under way, only once the job set was looked at after that', async () => {
    const feed = feeds.of(KEY, CALLER);
    statesOf(feed, A);
    await eventually('it follows', () => feed.generation !== undefined);
    let endLook = (): void => undefined;
    changes.beforeWatch = () => new Promise<void>((resolve) => (endLook = resolve));
    void feed.check();
    let isOver = false;
    const second = feed.check().then((follows) => (isOver = follows));
    const endFirst = endLook;
    endFirst();
    await eventually('it looks once more', () => endLook !== endFirst);
    expect(isOver).toBe(false);
    endLook();
    expect(await second).toBe(true);
  });

  it('reads after the next check what Redis did not give', async () => {
    await write({ a: 'QUEUED' });
    changes.failsReads = true;
    const { told: a } = statesOf(feeds.of(KEY, CALLER), A);
    await eventually('a read fails', () => errors.length > 0);
    changes.failsReads = false;
    await clock.pass(2_000);
    await told(a, 'QUEUED');
  });

  it('reads many jobs in parts, and none that nobody listens to any more', async () => {
    const many = Array.from({ length: 450 }, (_, n) => `job-${n}`);
    await write(Object.fromEntries(many.map((id) => [id, 'QUEUED'])));
    const feed = feeds.of(KEY, CALLER);
    feed.listen({ changed: () => {}, missed: () => {} });
    await eventually('it follows', () => feed.generation !== undefined);
    statesOf(feed, A).stop();
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(changes.reads).toBe(0);
    const all = many.map((id) => statesOf(feed, JobId(id)).told);
    for (const states of all) await told(states, 'QUEUED');
    expect(changes.reads).toBe(3);
  });

  it('reads nothing else while it reads: a job that changes meanwhile is not given as it was before', async () => {
    const first = await statesFrom('QUEUED');
    let goOn = (): void => undefined;
    changes.afterRead = () => new Promise<void>((resolve) => (goOn = resolve));
    const { reads } = changes;
    const feed = feeds.of(KEY, CALLER);
    const { told: second } = statesOf(feed, A);
    await eventually('it is read', () => changes.reads === reads + 1);
    statesOf(feed, B);
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    await write({ a: 'RUNNING' });
    changes.afterRead = () => undefined;
    goOn();
    for (const each of [first, second]) await told(each, 'RUNNING');
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect([first.at(-1), second.at(-1)]).toEqual(['RUNNING', 'RUNNING']);
  });

  it('reads no more once it is closed', async () => {
    const many = Array.from({ length: 450 }, (_, n) => `job-${n}`);
    await write(Object.fromEntries(many.map((id) => [id, 'QUEUED'])));
    changes.whileReading = () => feeds.close();
    for (const id of many) statesOf(feeds.of(KEY, CALLER), JobId(id));
    await eventually('it reads', () => changes.reads === 1);
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(changes.reads).toBe(1);
  });

  it('costs Redis nothing before somebody listens', async () => {
    const feed = feeds.of(KEY, CALLER);
    await nextTurn();
    expect(changes.subscriptions).toBe(0);
    statesOf(feed, A);
    await eventually('it is subscribed', () => changes.subscriptions === 1);
  });

  it('costs Redis nothing while its caller may have no more job sets followed, and begins once it may', async () => {
    await write({ a: 'QUEUED' });
    refusal = 'there are too many';
    const { told: a } = statesOf(feeds.of(KEY, CALLER), A);
    await clock.pass(10_000);
    expect([changes.subscriptions, changes.reads, interest.length]).toEqual([0, 0, 5]);
    refusal = undefined;
    await clock.pass(2_000);
    await told(a, 'QUEUED');
    refusal = 'there are too many';
    await clock.pass(2_000);
    changes.losesNotices = true;
    await write({ a: 'SUCCEEDED' });
    await clock.pass(4_000);
    await told(a, 'SUCCEEDED');
  });

  it('keeps no subscription that begins once nobody wants it any more, though Redis fails then', async () => {
    let begin = (): void => undefined;
    changes.beforeSubscribe = () => new Promise<void>((resolve) => (begin = resolve));
    changes.beforeWatch = () => Promise.reject(new Error('Connection is closed.'));
    const { stop } = statesOf(feeds.of(KEY, CALLER), A);
    stop();
    await clock.pass(2_000);
    begin();
    await eventually('Redis has failed', () => errors.length > 0);
    await eventually('it has ended', () => changes.subscriptions === 0, 1_000);
  });

  it('notes interest while somebody listens, in the name of the caller who began, and ends when nobody does', async () => {
    const { stop } = statesOf(feeds.of(KEY, CALLER), A);
    const { stop: stopOther } = statesOf(feeds.of(KEY, { key: 'another' }), A);
    expect(counts).toEqual([1]);
    await clock.pass(60_000);
    expect(interest.length).toBeGreaterThan(20);
    expect(new Set(interest)).toEqual(new Set([CALLER.key]));
    expect([changes.subscriptions, counts.at(-1)]).toEqual([1, 1]);
    stop();
    stopOther();
    await clock.pass(2_000);
    expect(counts.at(-1)).toBe(0);
    const before = interest.length;
    await clock.pass(60_000);
    expect([interest.length - before, changes.subscriptions]).toEqual([0, 0]);
  });

  describe('with many listeners', () => {
    const PAUSE_MS = 3;
    let told: (readonly JobSetChange[])[][];
    beforeEach(async () => {
      const feed = feeds.of(KEY, CALLER);
      told = Array.from({ length: 100 }, () => []);
      for (const each of told) {
        feed.listen({ changed: (together) => each.push(together), missed: () => undefined });
      }
      await eventually('it follows', () => feed.moment !== undefined);
    });
    const counts = () => told.map((each) => each.map(({ length }) => length));
    const expectAll = (expected: number[]) =>
      expect(counts()).toEqual(Array.from({ length: 100 }, () => expected));

    it('gives them together the writes that come soon after each other, and at once what comes after a pause', async () => {
      await write({ a: 'QUEUED' });
      await write({ a: 'LEASED' });
      await write({ a: 'RUNNING' });
      expectAll([1]);
      await clock.pass(PAUSE_MS - 1);
      expectAll([1]);
      await clock.pass(1);
      expectAll([1, 2]);
      // It is the same for all of them: what is made of it is made once.
      expect(new Set(told.map((each) => each[1])).size).toBe(1);
      await clock.pass(PAUSE_MS);
      await write({ a: 'SUCCEEDED' });
      expectAll([1, 2, 1]);
    });

    it('waits no longer than 100 ms between two writes, however many listen', async () => {
      const feed = feeds.of(KEY, CALLER);
      for (let n = 0; n < 5_000; n++) feed.listen({ changed: () => undefined, missed: () => undefined });
      await write({ a: 'QUEUED' });
      await write({ a: 'LEASED' });
      await clock.pass(99);
      expectAll([1]);
      await clock.pass(1);
      expectAll([1, 1]);
    });

    it('gives nothing that came before a write that was missed, which is read', async () => {
      await write({ a: 'QUEUED' });
      await write({ a: 'LEASED' });
      changes.losesNotices = true;
      await write({ a: 'RUNNING' });
      changes.losesNotices = false;
      await write({ a: 'SUCCEEDED' });
      await clock.pass(PAUSE_MS);
      expect(missed).toBe(1);
      expectAll([1]);
    });
  });
});
