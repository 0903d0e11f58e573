import { monotonicNow } from '@ajs/platform';
import { LRUCache } from 'lru-cache';
import type { JobSetWriter, SubscriptionReport } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { MonotonicTime, addMs, type JobRecord } from '@ajs/job-state';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../caller.js';
import { JobStatusQuery, type TerminalJob } from './job-status-query.js';

const KEY = { queue: 'q', jobSetId: 's' };
const record = (state: JobRecord['state']): JobRecord => ({ state, runNumber: 1, changedAt: 1 });

describe('a question for a job', () => {
  let store: MemoryJobStore;
  let writer: JobSetWriter;
  let asked: number;
  let noted: number;
  let endedJobs: LRUCache<string, TerminalJob>;
  let onAsk: () => void;
  let reads: number;
  let refusal: string | undefined;
  const caller: Caller = {
    deadline: Infinity,
    isGone: () => false,
    address: () => '',
    certificateName: () => undefined,
    authorization: [],
  };

  beforeEach(async () => {
    store = new MemoryJobStore();
    writer = await store.open(KEY);
    asked = noted = reads = 0;
    onAsk = () => {};
    refusal = undefined;
    endedJobs = new LRUCache({ max: 10 });
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
        asked++;
        onAsk();
      },
      terminalJobs: endedJobs,
      waitMs,
    });
  const write = (report: SubscriptionReport, records: Record<string, JobRecord> = {}): Promise<void> =>
    writer.write({ cursor: '1:0:0:1', records: new Map(Object.entries(records)), subscription: report });

  it('is answered at once when the job is known, and notes interest', async () => {
    await write({ state: 'connecting', reason: 'Armada is away' }, { j: record('RUNNING') });
    const answer = await query().run(KEY, 'j', caller);
    expect(answer).toMatchObject({
      kind: 'known',
      status: { state: 'RUNNING' },
      subscription: { state: 'connecting' },
    });
    expect([asked, noted, reads]).toEqual([0, 1, 1]);
  });

  it('is answered from memory once the job has ended, and notes interest all the same', async () => {
    await write({ state: 'live', reason: '' }, { j: record('FAILED'), r: record('RUNNING') });
    const q = query();
    for (let i = 0; i < 3; i++)
      expect(await q.run(KEY, 'j', caller)).toMatchObject({ status: { state: 'FAILED' } });
    expect([reads, noted]).toEqual([1, 3]);
    for (let i = 0; i < 3; i++) await q.run(KEY, 'r', caller);
    expect(reads).toBe(4);
  });

  it('says absent on the word of a live watch that was level a moment ago', async () => {
    await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
    expect(await query().run(KEY, 'j', caller)).toMatchObject({ kind: 'absent' });
    expect(asked).toBe(0);
  });

  it('asks for a read when the last proof is older than the question, and says absent when it is there', async () => {
    const before = addMs(monotonicNow(), -3_000);
    await write({ state: 'live', reason: '', syncedAt: before });
    onAsk = () => void write({ state: 'live', reason: '', syncedAt: monotonicNow() });
    expect(await query().run(KEY, 'j', caller)).toMatchObject({ kind: 'absent' });
    expect(asked).toBeGreaterThan(0);
  });

  it('does not take a read that began before the question for a proof, though it ends after it', async () => {
    const before = addMs(monotonicNow(), -3_000);
    onAsk = () => void write({ state: 'catching-up', reason: '', syncedAt: before });
    expect(await query(100).run(KEY, 'j', caller)).toMatchObject({ kind: 'unsettled' });
  });

  it('finds a job that appears while it waits', async () => {
    onAsk = () => void write({ state: 'live', reason: '' }, { j: record('QUEUED') });
    expect(await query().run(KEY, 'j', caller)).toMatchObject({ kind: 'known', status: { state: 'QUEUED' } });
  });

  it('waits for the first catch-up: until then a state may be one that the job left long ago', async () => {
    await write({ state: 'catching-up', reason: '' }, { j: record('QUEUED') });
    const answer = query().run(KEY, 'j', caller);
    await write({ state: 'catching-up', reason: '' }, { j: record('RUNNING') });
    await write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('SUCCEEDED') });
    expect(await answer).toMatchObject({ kind: 'known', status: { state: 'SUCCEEDED' } });
    expect(asked).toBe(0);
  });

  it('waits for it, too, where its stream is only being opened again, as by who takes over half-way', async () => {
    const lastEvent = { ms: 1, sequence: 0, index: 0, last: true };
    await write({ state: 'connecting', reason: '' }, { j: { ...record('QUEUED'), lastEvent } });
    const answer = query().run(KEY, 'j', caller);
    await write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('SUCCEEDED') });
    expect(await answer).toMatchObject({ kind: 'known', status: { state: 'SUCCEEDED' } });
  });

  it('does not wait where the job was submitted through us, and no stream was read yet', async () => {
    await write({ state: 'connecting', reason: '' });
    await store.addProvisionalJobs(KEY, [{ jobId: 'j', state: 'SUBMITTED', changedAt: 1 }]);
    expect(await query(1e9).run(KEY, 'j', caller)).toMatchObject({ kind: 'known' });
    expect(reads).toBe(1);
  });

  it('is answered with the state there is when the first catch-up takes longer than the wait', async () => {
    await write({ state: 'catching-up', reason: '' }, { j: record('QUEUED') });
    expect(await query(50).run(KEY, 'j', caller)).toMatchObject({
      kind: 'known',
      status: { state: 'QUEUED' },
    });
  });

  it('does not wait for a later catch-up: the state was level once', async () => {
    await write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('QUEUED') });
    await write({ state: 'catching-up', reason: '' });
    expect(await query(1e9).run(KEY, 'j', caller)).toMatchObject({ kind: 'known' });
    expect(reads).toBe(1);
  });

  it('says why it is not settled when the wait is over', async () => {
    await write({ state: 'connecting', reason: 'UNAVAILABLE: connection refused' });
    expect(await query(50).run(KEY, 'j', caller)).toMatchObject({
      kind: 'unsettled',
      reason: expect.stringContaining('UNAVAILABLE: connection refused') as string,
    });
  });

  it('of a job set that nobody follows is not settled, and says so', async () => {
    const answer = await query(20).run({ queue: 'q', jobSetId: 'other' }, 'j', caller);
    expect(answer).toMatchObject({
      kind: 'unsettled',
      reason: expect.stringContaining('not followed yet') as string,
    });
  });

  it('does not wait where Armada refuses the queue', async () => {
    await write({ state: 'denied', reason: 'no watch permission' });
    expect(await query(1e9).run(KEY, 'j', caller)).toMatchObject({ kind: 'unsettled' });
    expect(reads).toBe(1);
  });

  it('is answered before the caller’s deadline', async () => {
    const deadline = performance.now() + 150;
    expect(await query(1e9).run(KEY, 'j', { ...caller, deadline })).toMatchObject({ kind: 'unsettled' });
  });

  it('is dropped when the caller is gone', async () => {
    let gone = false;
    onAsk = () => (gone = true);
    await query(1e9).run(KEY, 'j', { ...caller, isGone: () => gone });
    expect(asked).toBe(1);
  });

  it('about a job set that will not be followed is not waited for, and says why', async () => {
    refusal = 'there are too many';
    expect(await query().run(KEY, 'x', caller)).toMatchObject({ kind: 'unsettled', reason: refusal });
    expect([asked, reads]).toEqual([0, 1]);
    await write({ state: 'live', reason: '' }, { j: record('RUNNING') });
    expect(await query().run(KEY, 'j', caller)).toMatchObject({ kind: 'known' });
  });
});
