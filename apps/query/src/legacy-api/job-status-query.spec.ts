import { Cursor, JobId, ArmadaTime, MonotonicTime, addMs, type JobRecord } from '@ajs/job-state';
import type { JobSetWriter, SubscriptionReport } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { monotonicNow } from '@ajs/platform';
import { LRUCache } from 'lru-cache';
import { setTimeout as sleep } from 'node:timers/promises';
import { testCaller } from '../testing/test-caller.js';
import { JobStatusQuery, type TerminalJob } from './job-status-query.js';

const KEY = { queue: 'q', jobSetId: 's' };
const record = (state: JobRecord['state']): JobRecord => ({ state, runNumber: 1, changedAt: ArmadaTime(1) });

describe('a poll of a job', () => {
  let store: MemoryJobStore;
  let writer: JobSetWriter;
  let requested: number;
  let noted: number;
  let terminalJobs: LRUCache<string, TerminalJob>;
  let onRequest: () => void;
  let reads: number;
  let refusal: string | undefined;
  let unreadable: string[];
  const caller = testCaller();

  beforeEach(async () => {
    store = new MemoryJobStore();
    writer = await store.open(KEY);
    requested = noted = reads = 0;
    unreadable = [];
    onRequest = () => {};
    refusal = undefined;
    terminalJobs = new LRUCache({ max: 10 });
  });

  const query = (waitMs = 5_000): JobStatusQuery =>
    new JobStatusQuery({
      lister: {
        read: (key, ids) => {
          reads++;
          return store.read(key, ids);
        },
        locate: (ids) => store.locate(ids),
      },
      noteInterest: () => noted++,
      refusalOf: () => refusal,
      pause: (ms) => sleep(ms),
      requestRead: () => {
        requested++;
        onRequest();
      },
      unreadableRecord: (jobId) => unreadable.push(jobId),
      terminalJobs,
      waitMs,
    });
  const write = (report: SubscriptionReport, records: Record<string, JobRecord> = {}): Promise<void> => {
    const byId = Object.entries(records).map(([jobId, record]) => [JobId(jobId), record] as const);
    return writer.write({ cursor: Cursor('1:0:0:1'), records: new Map(byId), subscription: report });
  };

  it('is answered at once where the job is cached, and notes interest', async () => {
    await write({ state: 'connecting', reason: 'Armada is away' }, { j: record('RUNNING') });
    const answer = await query().run(KEY, JobId('j'), caller);
    expect(answer).toMatchObject({
      kind: 'resolved',
      status: { state: 'RUNNING' },
      subscription: { state: 'connecting' },
    });
    expect([requested, noted, reads]).toEqual([0, 1, 1]);
  });

  it('is answered from memory once the job is terminal, and notes interest all the same', async () => {
    await write({ state: 'live', reason: '' }, { j: record('FAILED'), r: record('RUNNING') });
    const q = query();
    for (let i = 0; i < 3; i++)
      expect(await q.run(KEY, JobId('j'), caller)).toMatchObject({ status: { state: 'FAILED' } });
    expect([reads, noted]).toEqual([1, 3]);
    for (let i = 0; i < 3; i++) await q.run(KEY, JobId('r'), caller);
    expect(reads).toBe(4);
  });

  it('is answered from memory only where it names the job’s own queue and job set', async () => {
    await write({ state: 'live', reason: '' }, { j: record('FAILED') });
    const q = query(0);
    await q.run(KEY, JobId('j'), caller);
    expect(terminalJobs.size).toBe(1);
    for (const other of [
      { ...KEY, queue: 'other' },
      { ...KEY, jobSetId: 'other' },
    ]) {
      expect(await q.run(other, JobId('j'), caller)).toMatchObject({ kind: 'unresolved' });
    }
  });

  it('is answered with absent where a live watch was synced a moment ago', async () => {
    await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'absent' });
    expect(requested).toBe(0);
  });

  it('requests a read where the last sync is older than the poll, and is answered with absent once it is synced', async () => {
    const before = addMs(monotonicNow(), -3_000);
    await write({ state: 'live', reason: '', syncedAt: before });
    onRequest = () => void write({ state: 'live', reason: '', syncedAt: monotonicNow() });
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'absent' });
    expect(requested).toBeGreaterThan(0);
  });

  it('does not take a read that began before the poll for proof of absence, though it ends after it', async () => {
    const before = addMs(monotonicNow(), -3_000);
    onRequest = () => void write({ state: 'catching-up', reason: '', syncedAt: before });
    expect(await query(100).run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'unresolved' });
  });

  it('is answered with a job that appears while it waits', async () => {
    onRequest = () => void write({ state: 'live', reason: '' }, { j: record('QUEUED') });
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
      kind: 'resolved',
      status: { state: 'QUEUED' },
    });
  });

  it('waits for the first catch-up: until then the state may be one that the job left long ago', async () => {
    await write({ state: 'catching-up', reason: '' }, { j: record('QUEUED') });
    const answer = query().run(KEY, JobId('j'), caller);
    await write({ state: 'catching-up', reason: '' }, { j: record('RUNNING') });
    await write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('SUCCEEDED') });
    expect(await answer).toMatchObject({ kind: 'resolved', status: { state: 'SUCCEEDED' } });
    expect(requested).toBe(0);
  });

  it('waits for the first catch-up also where its stream is being reopened, as by a replica that takes over half-way', async () => {
    const lastEvent = { ms: 1, sequence: 0, index: 0, last: true };
    await write({ state: 'connecting', reason: '' }, { j: { ...record('QUEUED'), lastEvent } });
    const answer = query().run(KEY, JobId('j'), caller);
    await write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('SUCCEEDED') });
    expect(await answer).toMatchObject({ kind: 'resolved', status: { state: 'SUCCEEDED' } });
  });

  it('does not wait where the job is provisional, and no stream was read yet', async () => {
    await write({ state: 'connecting', reason: '' });
    await store.addProvisionalJobs(KEY, [
      { jobId: JobId('j'), state: 'SUBMITTED', changedAt: ArmadaTime(1) },
    ]);
    expect(await query(1e9).run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'resolved' });
    expect(reads).toBe(1);
  });

  it('is answered with the cached state where the first catch-up takes longer than the wait', async () => {
    await write({ state: 'catching-up', reason: '' }, { j: record('QUEUED') });
    expect(await query(50).run(KEY, JobId('j'), caller)).toMatchObject({
      kind: 'resolved',
      status: { state: 'QUEUED' },
    });
  });

  it('does not wait for a later catch-up: the job set was synced once', async () => {
    await write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('QUEUED') });
    await write({ state: 'catching-up', reason: '' });
    expect(await query(1e9).run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'resolved' });
    expect(reads).toBe(1);
  });

  it('is answered with the reason where it is unresolved when the wait is over', async () => {
    await write({ state: 'connecting', reason: 'UNAVAILABLE: connection refused' });
    expect(await query(50).run(KEY, JobId('j'), caller)).toMatchObject({
      kind: 'unresolved',
      reason: expect.stringContaining('UNAVAILABLE: connection refused') as string,
    });
  });

  it('is unresolved where nobody follows the job set, and says so', async () => {
    const answer = await query(20).run({ queue: 'q', jobSetId: 'other' }, JobId('j'), caller);
    expect(answer).toMatchObject({
      kind: 'unresolved',
      reason: expect.stringContaining('not followed yet') as string,
    });
  });

  it('does not wait where Armada denies the queue', async () => {
    await write({ state: 'denied', reason: 'no watch permission' });
    expect(await query(1e9).run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'unresolved' });
    expect(reads).toBe(1);
  });

  it('is answered before the caller’s deadline', async () => {
    const deadline = addMs(monotonicNow(), 150);
    expect(await query(1e9).run(KEY, JobId('j'), { ...caller, deadline })).toMatchObject({
      kind: 'unresolved',
    });
  });

  it('is dropped when its caller is gone', async () => {
    let gone = false;
    onRequest = () => (gone = true);
    await query(1e9).run(KEY, JobId('j'), { ...caller, isGone: () => gone });
    expect(requested).toBe(1);
  });

  it('does not wait for a job set that will not be followed, and says why', async () => {
    refusal = 'there are too many';
    expect(await query().run(KEY, JobId('x'), caller)).toMatchObject({ kind: 'unresolved', reason: refusal });
    expect([requested, reads]).toEqual([0, 1]);
    await write({ state: 'live', reason: '' }, { j: record('RUNNING') });
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'resolved' });
  });

  it('is unresolved with the reason where its record cannot be read, and its neighbour is answered', async () => {
    await write({ state: 'live', reason: '', syncedAt: monotonicNow() }, { j: record('RUNNING') });
    store.makeUnreadable(KEY, JobId('x'), 'a newer version of this service gave it state number 13');
    expect(await query(50).run(KEY, JobId('x'), caller)).toMatchObject({
      kind: 'unresolved',
      reason:
        'cannot resolve job "x": a newer version of this service gave it state number 13; upgrade the query replicas',
      subscription: { state: 'live' },
    });
    expect([unreadable, requested, reads]).toEqual([['x'], 0, 1]);
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'resolved' });
  });
});
