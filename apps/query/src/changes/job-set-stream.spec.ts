import { status } from '@grpc/grpc-js';
import { ArmadaTime, Cursor, JobId, type JobRecord, type JobSetKey, type JobState } from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import { ManualClock, eventually } from '@ajs/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RpcError } from '../rpc-error.js';
import { JobSetFeeds } from './job-set-feeds.js';
import { JobSetStream, type JobSetEvent } from './job-set-stream.js';
import { BEGINNING, fromToken } from './stream-place.js';
import { LossyChanges } from './testing/lossy-changes.js';

const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };
const CALLER = { key: 'a caller' };
const CANCELLED = new RpcError(status.CANCELLED, 'the caller has gone');
const NO_MEMORY = new RpcError(status.RESOURCE_EXHAUSTED, 'message memory used up');

let clock: ManualClock;
let changes: LossyChanges;
let feeds: JobSetFeeds;
let writer: JobSetWriter;
const open: Reader[] = [];

beforeEach(async () => {
  clock = new ManualClock();
  changes = new LossyChanges();
  feeds = newReplica();
  writer = await changes.store.open(KEY);
});
afterEach(async () => {
  for (const reader of open.splice(0)) await reader.stop();
  feeds.close();
});

/** The feeds of another process. */
function newReplica(): JobSetFeeds {
  return new JobSetFeeds(
    {
      changes,
      lister: changes,
      noteInterest: () => {},
      refusalOf: () => undefined,
      onCount: () => {},
      onMissed: () => {},
      onError: () => {},
    },
    clock,
  );
}

const record = (state: JobState): JobRecord => ({ state, runNumber: 1, changedAt: ArmadaTime(1) });
async function write(jobs: Partial<Record<string, JobState>>): Promise<void> {
  const records = Object.entries(jobs).map(([id, state = 'QUEUED']) => [JobId(id), record(state)] as const);
  await writer.write({
    cursor: Cursor('1:0:0:1'),
    records: new Map(records),
    subscription: { state: 'live', reason: '' },
  });
}

/** Redis loses the job set, and its stream is followed again. */
async function beginAnew(): Promise<void> {
  await changes.store.remove(KEY, 0);
  writer = await changes.store.open(KEY);
  await write({ a: 'QUEUED' });
}

/** Reads a stream, and keeps what it received. */
class Reader {
  readonly events: JobSetEvent[] = [];
  ended: RpcError | undefined;
  /** While it takes nothing, the stream waits after the events that it was sent last. */
  private blocked: (() => void) | undefined;
  private stopsAfter = Infinity;
  private failsAfter = Infinity;
  private readonly stream: JobSetStream;
  private readonly over: Promise<void>;

  constructor(token = '', of = feeds) {
    this.stream = new JobSetStream(
      of.of(KEY, CALLER),
      changes,
      (events) => this.take(events),
      fromToken(token),
      clock,
    );
    this.over = this.stream.run().catch((error: unknown) => {
      if (!(error instanceof RpcError)) throw error;
      this.ended = error;
    });
    open.push(this);
  }

  get told(): string[] {
    return this.events.map((event) =>
      event.kind === 'job'
        ? `${event.changed.jobId} ${event.changed.job?.record.state ?? 'unreadable'}`
        : event.kind,
    );
  }

  get token(): string {
    return this.events.at(-1)?.token ?? '';
  }

  /** What its stream ends with. */
  get lastToken(): string {
    return this.stream.token;
  }

  isBlocking = false;

  unblock(): void {
    this.isBlocking = false;
    this.blocked?.();
  }

  /** Ends after so many events. */
  stopAfter(events: number): this {
    this.stopsAfter = events;
    return this;
  }

  /** Cannot be sent anything after so many events. */
  failAfter(events: number): this {
    this.failsAfter = events;
    return this;
  }

  leave(): void {
    this.stream.end(CANCELLED);
  }

  async stop(): Promise<void> {
    this.leave();
    this.unblock();
    await this.over;
  }

  end(): Promise<RpcError> {
    return eventually('it ends', () => this.ended);
  }

  /** A client may leave after any of the events that were sent together. */
  private take(events: readonly JobSetEvent[]): Promise<void> | undefined {
    if (this.events.length >= this.failsAfter) throw NO_MEMORY;
    this.events.push(...events.slice(0, this.stopsAfter - this.events.length));
    if (this.events.length >= this.stopsAfter) this.stream.end(CANCELLED);
    if (!this.isBlocking) return undefined;
    return new Promise((resolve) => (this.blocked = resolve));
  }
}

const has = (reader: Reader, last: string) =>
  eventually(`it is told ${last}`, () => reader.told.at(-1) === last);

describe('a stream of a job set', () => {
  it('sends every job, the end of the snapshot, then each change in order', async () => {
    await write({ a: 'QUEUED', b: 'RUNNING' });
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    expect(new Set(reader.told.slice(0, 2))).toEqual(new Set(['a QUEUED', 'b RUNNING']));
    await write({ a: 'RUNNING' });
    await write({ b: 'FAILED' });
    await write({ a: 'SUCCEEDED', c: 'QUEUED' });
    await eventually('all is received', () => reader.told.length === 7);
    expect(reader.told.slice(3, 5)).toEqual(['a RUNNING', 'b FAILED']);
    expect(new Set(reader.told.slice(5))).toEqual(new Set(['a SUCCEEDED', 'c QUEUED']));
  });

  it('sends bookmarks a second after quiet begins and every 30 s of it, with how fresh the job set is', async () => {
    await write({ a: 'QUEUED' });
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    await clock.pass(1_000);
    await has(reader, 'bookmark');
    expect(reader.events.at(-1)).toMatchObject({ moment: { subscription: { state: 'live' } } });
    await clock.pass(29_000);
    expect(reader.told.filter((event) => event === 'bookmark')).toHaveLength(1);
    await clock.pass(31_000);
    expect(reader.told.filter((event) => event === 'bookmark')).toHaveLength(3);
    await write({ a: 'RUNNING' });
    await has(reader, 'a RUNNING');
    await clock.pass(1_000);
    await has(reader, 'bookmark');
  });

  // In the snapshot, at its end, and within the changes of one write.
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'goes on at another replica with what is newer, and nothing else, after %i events',
    async (events) => {
      await write({ a: 'QUEUED', b: 'QUEUED', c: 'QUEUED', d: 'QUEUED', e: 'QUEUED' });
      const first = new Reader().stopAfter(events);
      await eventually('the snapshot', () => first.ended ?? first.told.includes('snapshot-end'));
      await write({ a: 'RUNNING', b: 'RUNNING', c: 'RUNNING' });
      await first.end();
      const replica = newReplica();
      const second = new Reader(first.token, replica);
      await write({ d: 'RUNNING', f: 'QUEUED' });
      const all = (): string[] => [...first.told, ...second.told];
      const last = [
        'a RUNNING',
        'b RUNNING',
        'c RUNNING',
        'd RUNNING',
        'e QUEUED',
        'f QUEUED',
        'snapshot-end',
      ];
      await eventually('all', () => last.every((event) => all().includes(event)));
      await second.stop();
      replica.close();
      expect(all().filter((event, i) => all().indexOf(event) !== i)).toEqual([]);
    },
  );

  it('sends every job before the end of the snapshot, also those that change while it is read', async () => {
    const ids = ['a', 'b', 'c', 'd'];
    const all = (state: JobState) => Object.fromEntries(ids.map((id) => [id, state]));
    await write(all('QUEUED'));
    changes.pageSize = 1;
    changes.afterPage = () => {
      changes.afterPage = () => undefined;
      return write(all('RUNNING'));
    };
    const reader = new Reader();
    await eventually('the snapshot', () => reader.told.includes('snapshot-end'));
    const snapshot = reader.told.slice(0, reader.told.indexOf('snapshot-end'));
    expect(snapshot.filter((event) => event.endsWith('RUNNING')).toSorted()).toEqual(
      ids.map((id) => `${id} RUNNING`),
    );
  });

  it('sends nothing once it is to end, and has the token of what it sent', async () => {
    await write(Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`job-${n}`, 'QUEUED'])));
    changes.pageSize = 60;
    const sent: JobSetEvent[] = [];
    const stream = new JobSetStream(feeds.of(KEY, CALLER), changes, (events) => {
      sent.push(...events);
      stream.end(CANCELLED);
      return undefined;
    });
    await expect(stream.run()).rejects.toBe(CANCELLED);
    expect([sent.length, stream.token]).toEqual([50, sent.at(-1)?.token]);
    await clock.pass(2_000);
    expect(changes.subscriptions).toBe(0);
  });

  it('sends what changes while a bookmark is sent, and has one timer however often it is woken', async () => {
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    reader.isBlocking = true;
    await clock.pass(1_000);
    await has(reader, 'bookmark');
    await write({ a: 'RUNNING' });
    reader.unblock();
    await has(reader, 'a RUNNING');
    const { timers } = clock;
    for (const id of ['b', 'c', 'd', 'e']) {
      await write({ [id]: 'RUNNING' });
      await has(reader, `${id} RUNNING`);
    }
    await nextTurn();
    expect(clock.timers).toBe(timers);
  });

  it('repeats nothing that it has read before the notices of it came, alone and together with newer ones', async () => {
    // So many that what comes soon after each other is told together.
    const others = Array.from({ length: 40 }, () => new Reader());
    for (const each of others) await has(each, 'snapshot-end');
    changes.holdsNotices = true;
    for (const state of ['LEASED', 'PENDING', 'RUNNING'] as const) await write({ a: state });
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    await write({ a: 'SUCCEEDED' });
    changes.release();
    await clock.pass(10);
    for (const each of [...others, reader]) await has(each, 'a SUCCEEDED');
    expect(reader.told).toEqual(['a RUNNING', 'snapshot-end', 'a SUCCEEDED']);
  });

  it('gives streams that stand at the same place the same events, which are encoded once', async () => {
    const sent: (readonly JobSetEvent[])[] = [];
    const streams = Array.from({ length: 2 }, () => {
      const send = (events: readonly JobSetEvent[]): undefined => void sent.push(events);
      return new JobSetStream(feeds.of(KEY, CALLER), changes, send);
    });
    const ended = streams.map((stream) => expect(stream.run()).rejects.toBe(CANCELLED));
    await eventually('both have their snapshot', () => sent.length === 2);
    await write({ a: 'QUEUED' });
    await eventually('both are told', () => sent.length === 4);
    expect(sent[2]).toBe(sent[3]);
    for (const stream of streams) stream.end(CANCELLED);
    await Promise.all(ended);
  });

  it('misses nothing and repeats nothing where notices are lost', async () => {
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    for (let job = 0; job < 100; job++) {
      changes.losesNotices = job % 3 === 0;
      await write({ [`job ${job}`]: 'RUNNING' });
      if (job % 10 === 0) await clock.pass(500);
    }
    await clock.pass(6_000);
    await eventually('every job', () => reader.told.filter((event) => event.startsWith('job')).length >= 100);
    const jobs = reader.told.filter((event) => event.startsWith('job'));
    expect(new Set(jobs).size).toBe(100);
    expect(jobs).toHaveLength(100);
  });

  it('sends the jobs of a job set that begins after it', async () => {
    await changes.store.remove(KEY, 0);
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    const again = new Reader(reader.token);
    writer = await changes.store.open(KEY);
    await write({ a: 'QUEUED' });
    await has(reader, 'a QUEUED');
    await has(again, 'a QUEUED');
  });

  it('ends OUT_OF_RANGE where the job set has a new generation, and so does one with a token from before', async () => {
    await write({ a: 'QUEUED' });
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    await write({ a: 'RUNNING' });
    await has(reader, 'a RUNNING');
    await beginAnew();
    for (const each of [reader, new Reader(reader.token)]) {
      const error = await each.end();
      expect(error.code).toBe(status.OUT_OF_RANGE);
      expect(error.details).toContain('start again without a token');
    }
  });

  it('begins with the job set as it is now where it has a new generation and nothing was sent yet', async () => {
    await write({ a: 'RUNNING' });
    await has(new Reader(), 'snapshot-end');
    changes.losesNotices = true;
    await beginAnew();
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    expect(reader.told).toEqual(['a QUEUED', 'snapshot-end']);
  });

  it('reads no more, where the job set has a new generation, before that can be followed', async () => {
    await write({ a: 'RUNNING' });
    await has(new Reader(), 'snapshot-end');
    changes.losesNotices = true;
    await beginAnew();
    changes.beforeWatch = async () => {
      await nextTurn();
      throw new Error('Connection is closed.');
    };
    const { reads } = changes;
    const reader = new Reader();
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(changes.reads - reads).toBe(1);
    changes.beforeWatch = () => undefined;
    await clock.pass(2_000);
    await has(reader, 'snapshot-end');
    expect(reader.told).toEqual(['a QUEUED', 'snapshot-end']);
  });

  it('does not count against its reader what was queued before a gap', async () => {
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    const jobs = (batch: number) =>
      Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`job ${batch}-${i}`, 'QUEUED' as const]));
    reader.isBlocking = true;
    for (let batch = 0; batch < 15; batch++) await write(jobs(batch));
    changes.losesNotices = true;
    await write(jobs(15));
    changes.losesNotices = false;
    await write(jobs(16));
    reader.unblock();
    await eventually('all is received', () => reader.told.length === 1 + 17 * 500);
    reader.isBlocking = true;
    for (let batch = 17; batch < 27; batch++) await write(jobs(batch));
    reader.unblock();
    await eventually('the rest is received', () => reader.ended ?? reader.told.length === 1 + 27 * 500);
    expect(reader.ended).toBeUndefined();
    reader.isBlocking = true;
    for (let batch = 27; batch < 49; batch++) await write(jobs(batch));
    expect((await reader.end()).code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('ends RESOURCE_EXHAUSTED where its reader, taking nothing, is one job more than 10,000 behind, and misses nothing after that', async () => {
    const slow = new Reader();
    await has(slow, 'snapshot-end');
    slow.isBlocking = true;
    await write({ untaken: 'QUEUED' });
    await has(slow, 'untaken QUEUED');
    const jobs = (batch: number) =>
      Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`job ${batch}-${i}`, 'QUEUED' as const]));
    for (let batch = 0; batch < 20; batch++) await write(jobs(batch));
    await nextTurn();
    expect(slow.ended).toBeUndefined();
    await write({ last: 'QUEUED' });
    expect((await slow.end()).code).toBe(status.RESOURCE_EXHAUSTED);
    const again = new Reader(slow.lastToken);
    await eventually('the rest', () => slow.told.length + again.told.length > 10_002);
    const told = [...slow.told, ...again.told];
    expect([told.length, new Set(told).size]).toEqual([10_003, 10_003]);
  });

  it('ends in the middle of a write where it is to, with the token of what was sent of it', async () => {
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    reader.isBlocking = true;
    await write(Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`job-${n}`, 'QUEUED'])));
    await eventually('a part is sent', () => reader.told.length > 1);
    reader.leave();
    await reader.end();
    expect([reader.told.length, reader.lastToken]).toEqual([51, reader.token]);
  });

  it('ends with the first reason that it is given', async () => {
    const stream = new JobSetStream(feeds.of(KEY, CALLER), changes, () => undefined);
    const ended = expect(stream.run()).rejects.toBe(CANCELLED);
    for (const reason of [CANCELLED, NO_MEMORY]) stream.end(reason);
    await ended;
  });

  it('reads again where it was told of no such generation, and the feed follows it all the same', async () => {
    await write({ a: 'QUEUED' });
    await has(new Reader(), 'snapshot-end');
    const { store } = changes;
    const readChanges = store.readChanges.bind(store);
    store.readChanges = () => {
      store.readChanges = readChanges;
      return Promise.resolve(undefined);
    };
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    expect(reader.told).toEqual(['a QUEUED', 'snapshot-end']);
  });

  it('ends at once where it is to, though its reader takes nothing, behind what was sent', async () => {
    const reader = new Reader();
    await has(reader, 'snapshot-end');
    reader.isBlocking = true;
    await write({ a: 'QUEUED' });
    await has(reader, 'a QUEUED');
    await write({ b: 'QUEUED' });
    reader.leave();
    expect(await reader.end()).toBe(CANCELLED);
    expect([reader.told.at(-1), reader.lastToken]).toEqual(['a QUEUED', reader.token]);
    const leaving = new Reader().stopAfter(1);
    leaving.isBlocking = true;
    expect(await leaving.end()).toBe(CANCELLED);
    expect(leaving.told).toHaveLength(1);
  });

  // In the snapshot, on its first and on its second page, at its end, and at a change.
  it.each([0, 2, 3, 4])('resumes with what could not be sent any more after %i events', async (events) => {
    changes.pageSize = 2;
    await write({ a: 'QUEUED', b: 'QUEUED', c: 'QUEUED' });
    const first = new Reader().failAfter(events);
    await eventually('the snapshot', () => first.ended ?? first.told.includes('snapshot-end'));
    await write({ a: 'RUNNING' });
    expect(await first.end()).toBe(NO_MEMORY);
    const second = new Reader(first.lastToken);
    await eventually('all is received', async () => {
      await clock.pass(1_000);
      return second.told.at(-1) === 'bookmark';
    });
    const all = [...first.told, ...second.told].filter((event) => event !== 'bookmark');
    expect(all).toEqual(expect.arrayContaining(['b QUEUED', 'c QUEUED', 'snapshot-end', 'a RUNNING']));
    expect(new Set(all).size).toBe(all.length);
  });

  it('is resumed from the beginning where it ended before it sent anything', async () => {
    await write({ a: 'RUNNING' });
    await has(new Reader(), 'snapshot-end');
    changes.isAway = true;
    const stream = new JobSetStream(feeds.of(KEY, CALLER), changes, () => undefined);
    await expect(stream.run()).rejects.toThrow('Connection is closed.');
    expect(fromToken(stream.token)).toEqual(BEGINNING);
  });

  it('rejects what is no token', () => {
    const forged = [
      'null',
      '[2,"g",1,0]',
      '[1,7,1,0]',
      '[1,"g",1.5,0]',
      '[1,"g",1,2]',
      `[1,"${'g'.repeat(1_024)}",1,0]`,
      '[1,"g",1,0,2,7]',
      '[1,"g",1,0,2,"no position"]',
      '[1,"g",1,0,2,"4294967296."]',
      '[1,"g",1,0,2.5]',
      '[1,"g",1,0,2,"1.",3]',
    ];
    for (const token of ['x', ...forged.map((text) => Buffer.from(text).toString('base64url'))]) {
      expect(() => fromToken(token)).toThrow('resume_token');
    }
    expect(fromToken(Buffer.from('[1,"g",1,0,2,"4294967295."]').toString('base64url'))).toMatchObject({
      upTo: 2,
    });
  });
});
