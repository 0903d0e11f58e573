import { ArmadaJobsError } from '@ajs/armada-client';
import { JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { Cursor, JobId, ArmadaTime, MonotonicTime, addMs, type JobRecord } from '@ajs/job-state';
import type { JobSetWriter, SubscriptionReport } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { monotonicNow } from '@ajs/platform';
import { ulidAt } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeArmadaJobs, ARMADA_UNAVAILABLE } from '../jobs-api/testing/fake-armada-jobs.js';
import { RpcError } from '../rpc-error.js';
import { ReportRecorder } from '../upstream/report-recorder.js';
import { ReportedJobs } from '../upstream/reported-jobs.js';
import { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import { testCaller } from '../testing/test-caller.js';
import { JobStatusQuery } from './job-status-query.js';

const KEY = { queue: 'q', jobSetId: 's' };
/** Longer than any test takes. */
const GRACE_MS = 3_600_000;
/** As the stream shows a job. */
const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});

describe('a poll of a job', () => {
  let store: MemoryJobStore;
  let writer: JobSetWriter;
  let requested: number;
  let noted: number;
  /** What was done in whose name. */
  let named: string[];
  let onRequest: () => void;
  let reads: number;
  let pausedMs: number;
  let pauses: number[];
  let refusal: string | undefined;
  let unreadable: string[];
  let armada: FakeArmadaJobs;
  let onPause: () => unknown;
  let sinkFailure: Error | undefined;
  let recorder: ReportRecorder;
  let waitingFailure: Error | undefined;
  const caller = testCaller();

  beforeEach(async () => {
    store = new MemoryJobStore();
    writer = await store.open(KEY);
    requested = noted = reads = pausedMs = 0;
    unreadable = [];
    named = [];
    pauses = [];
    armada = new FakeArmadaJobs();
    onPause = () => {};
    sinkFailure = waitingFailure = undefined;
    onRequest = () => {};
    refusal = undefined;
    const ignore = (): void => undefined;
    recorder = new ReportRecorder({ sink: store, noteInterest: ignore, redisFailed: ignore });
  });

  const query = (waitMs = 5_000, notFoundGraceMs = GRACE_MS): JobStatusQuery =>
    new JobStatusQuery({
      lister: {
        read: (key, ids) => {
          reads++;
          return store.read(key, ids);
        },
      },
      noteInterest: (_key, _tag, who) => {
        noted++;
        named.push(`interest of ${who?.key ?? ''}`);
      },
      refusalOf: (_, { key }) => {
        named.push(`refusal of ${key}`);
        return refusal;
      },
      pause: async (_, ms) => {
        pausedMs += ms;
        if (pauses.push(ms) > 100) throw new Error('it waits for ever');
        await onPause();
        await sleep(ms);
      },
      waiting: (_, work) => (waitingFailure === undefined ? work() : Promise.reject(waitingFailure)),
      reportedJobs: new ReportedJobs({
        armada: {
          for: ({ key }) => {
            named.push(`look-up of ${key}`);
            return armada;
          },
        },
        resolver: new UpstreamJobResolver({ recorder }),
        sink: {
          report: (key, reports) =>
            sinkFailure === undefined ? store.report(key, reports) : Promise.reject(sinkFailure),
        },
        redisFailed: () => undefined,
      }),
      recorder,
      notFoundGraceMs,
      provisionalGraceMs: 30_000,
      requestRead: () => {
        requested++;
        onRequest();
      },
      unreadableRecord: (jobId) => unreadable.push(jobId),
      waitMs,
    });
  const write = (report: SubscriptionReport, records: Record<string, JobRecord> = {}): Promise<unknown> => {
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

  it('has a final answer once the stream has shown its end', async () => {
    await write({ state: 'live', reason: '' }, { j: record('FAILED'), r: record('RUNNING') });
    const final = { status: { state: 'FAILED' }, isFinal: true };
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject(final);
    expect(await query().run(KEY, JobId('r'), caller)).not.toHaveProperty('isFinal');
  });

  it('looks again soon at first, and ever more rarely, down to five times a second', async () => {
    onPause = () => pauses.length === 6 && write({ state: 'live', reason: '' }, { j: record('SUCCEEDED') });
    await query(60_000).run(KEY, JobId('j'), caller);
    expect(pauses).toEqual([15, 30, 60, 120, 200, 200]);
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

  it('is answered with absent by the first read that began after it, however late that is seen', async () => {
    const nextReadAt = addMs(monotonicNow(), 60_000);
    await write({ state: 'live', reason: '', syncedAt: addMs(monotonicNow(), -3_000), nextReadAt });
    onRequest = () => void write({ state: 'live', reason: '', syncedAt: monotonicNow(), nextReadAt });
    expect(await query(1_000).run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'absent' });
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
    await write({ state: 'connecting', reason: '' }, { j: record('QUEUED') });
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
    expect(await query(500).run(KEY, JobId('j'), caller)).toMatchObject({ kind: 'unresolved' });
    expect(reads).toBe(1);
  });

  it('is answered 100 ms before the caller’s deadline: the answer has a way to go', async () => {
    const deadline = addMs(monotonicNow(), 300);
    expect(await query(2_000).run(KEY, JobId('j'), { ...caller, deadline })).toMatchObject({
      kind: 'unresolved',
    });
    // Timers may be early by a millisecond each.
    expect(pausedMs).toBeLessThan(220);
  });

  it('is dropped when its caller is gone', async () => {
    let gone = false;
    onRequest = () => (gone = true);
    await query(500).run(KEY, JobId('j'), { ...caller, isGone: () => gone });
    expect(requested).toBe(1);
  });

  it('does not wait for a job set that will not be followed, and says why', async () => {
    refusal = 'there are too many';
    await write({ state: 'live', reason: '' }, { j: record('RUNNING') });
    expect(await query().run(KEY, JobId('x'), caller)).toMatchObject({
      kind: 'unresolved',
      reason: refusal,
      subscription: { state: 'live' },
    });
    expect([requested, reads]).toEqual([0, 1]);
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

  describe('that is so young that Armada may not have published it', () => {
    const young = JobId(ulidAt(performance.now()));

    it('is unresolved with the reason when the wait is over, and requests no read of a watch', async () => {
      await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
      expect(await query(50).run(KEY, young, caller)).toMatchObject({
        kind: 'unresolved',
        reason: expect.stringMatching(
          /not synced yet: its id is younger than 3600 s \(NOT_FOUND_GRACE\)/,
        ) as string,
        subscription: { state: 'live' },
      });
      expect(requested).toBe(0);
    });

    it('is answered as soon as its event comes', async () => {
      await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
      onPause = () => reads === 2 && write({ state: 'live', reason: '' }, { [young]: record('QUEUED') });
      expect(await query(1e9).run(KEY, young, caller)).toMatchObject({ status: { state: 'QUEUED' } });
      expect([reads, armada.calls]).toEqual([3, []]);
    });

    it('requests further reads of a job set that is read on a schedule', async () => {
      const nextReadAt = addMs(monotonicNow(), 60_000);
      onRequest = () => {
        const records = requested === 2 ? { [young]: record('QUEUED') } : {};
        void write({ state: 'live', reason: '', syncedAt: monotonicNow(), nextReadAt }, records);
      };
      expect(await query(2_000).run(KEY, young, caller)).toMatchObject({ status: { state: 'QUEUED' } });
    });

    it('is answered with what Armada’s api.Jobs knows when the wait is over', async () => {
      await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
      armada.add(young, { state: JobState.PENDING });
      expect(await query(50).run(KEY, young, caller)).toMatchObject({ status: { state: 'PENDING' } });
    });
  });

  describe('that its synced stream does not hold', () => {
    const jobId = JobId(ulidAt(0));
    const run = () => query(1e9, 0).run(KEY, jobId, caller);
    const sync = () => write({ state: 'live', reason: '', syncedAt: monotonicNow() });

    beforeEach(async () => {
      await sync();
      // On a slow machine that is too long ago when the poll arrives.
      onRequest = () => void sync();
    });

    it('is answered with the state that Armada’s api.Jobs reports, which is recorded before', async () => {
      armada.add(jobId, { state: JobState.SUCCEEDED });
      expect(await run()).toMatchObject({ kind: 'resolved', status: { state: 'SUCCEEDED' } });
      expect((await store.read(KEY, [jobId])).jobs.get(jobId)).toMatchObject({ state: 'SUCCEEDED' });
    });

    it.each([
      ['queue', { queue: 'other' }],
      ['job set', { jobset: 'other' }],
    ])('is absent where Armada has it in another %s, and nothing is recorded', async (_, details) => {
      armada.add(jobId, details);
      expect(await run()).toMatchObject({ kind: 'absent' });
      expect((await store.locate([jobId])).size).toBe(0);
    });

    it('is absent where this Armada has no api.Jobs', async () => {
      armada.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown service api.Jobs');
      expect(await run()).toMatchObject({ kind: 'absent', subscription: { state: 'live' } });
    });

    it.each([
      ['does not answer', ARMADA_UNAVAILABLE],
      ['refuses this service', new ArmadaJobsError('refused', 'UNAUTHENTICATED: invalid password')],
    ])('is unresolved with the reason where Armada’s api.Jobs %s', async (_, failure) => {
      armada.failure = failure;
      expect(await run()).toMatchObject({
        kind: 'unresolved',
        reason: `the event stream of the job set does not hold the job, but Armada may have it: Armada's api.Jobs failed: ${failure.reason}`,
      });
    });

    it('is unresolved where Redis does not take what Armada’s api.Jobs reports', async () => {
      armada.add(jobId, { state: JobState.SUCCEEDED });
      sinkFailure = new Error('OOM command not allowed');
      expect(await run()).toMatchObject({
        kind: 'unresolved',
        reason: expect.stringMatching(/Redis refuses writes/) as string,
      });
    });

    it('is unresolved before the caller’s deadline where Armada’s api.Jobs takes longer', async () => {
      armada.details = async () => {
        await sleep(300);
        return new Map();
      };
      // No time is left: the answer leaves 100 ms before the deadline.
      const deadline = addMs(monotonicNow(), 50);
      expect(await query(1e9, 0).run(KEY, jobId, { ...caller, deadline })).toMatchObject({
        kind: 'unresolved',
        reason: expect.stringMatching(/has not answered in time/) as string,
      });
    });
  });

  describe('whose record no stream stands behind', () => {
    const reports: SubscriptionReport[] = [
      { state: 'denied', reason: 'PERMISSION_DENIED' },
      { state: 'gone', reason: 'no queue' },
      { state: 'connecting', reason: 'UNAUTHENTICATED: invalid password' },
    ];

    it.each(reports)('is answered with the state that Armada’s api.Jobs reports: $state', async (report) => {
      await write(report, { j: record('RUNNING') });
      armada.add('j', { state: JobState.SUCCEEDED });
      expect(await query().run(KEY, JobId('j'), caller)).toEqual({
        kind: 'resolved',
        status: expect.objectContaining({ state: 'SUCCEEDED' }) as unknown,
        subscription: expect.objectContaining({ state: report.state }) as unknown,
      });
      expect((await store.read(KEY, [JobId('j')])).jobs.get(JobId('j'))).toMatchObject({
        state: 'SUCCEEDED',
      });
    });

    it.each(reports)(
      'is answered with the reason where Armada’s api.Jobs has no answer: $state',
      async (report) => {
        await write(report, { j: record('RUNNING') });
        const outdated = expect.stringMatching(
          `^last known state, never synced: .*${report.reason}, and Armada's api.Jobs does not know the job$`,
        ) as string;
        expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
          status: { state: 'RUNNING' },
          outdated,
        });
      },
    );

    it('is answered with the age of what the stream showed', async () => {
      const syncedAt = addMs(monotonicNow(), -3_600_000);
      await write({ state: 'denied', reason: 'PERMISSION_DENIED', syncedAt }, { j: record('RUNNING') });
      armada.failure = ARMADA_UNAVAILABLE;
      expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
        outdated: expect.stringMatching(
          /^last known state, last synced 36\d\d s ago: .*, and Armada's api.Jobs failed: UNAVAILABLE/,
        ) as string,
      });
    });

    it.each([
      ['does not know the job', undefined, "Armada's api.Jobs does not know the job"],
      [
        'does not exist',
        new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown service api.Jobs'),
        'this Armada has no api.Jobs',
      ],
    ])(
      'is answered with the reason where its live stream has not shown what was reported, and api.Jobs %s',
      async (_, failure, why) => {
        await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
        const at = ArmadaTime(performance.now());
        await store.report(KEY, new Map([[JobId('j'), { state: 'RUNNING', at }]]));
        armada.failure = failure;
        expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
          status: { state: 'RUNNING' },
          outdated: expect.stringMatching(
            `^last known state, last synced \\d+ s ago: its event stream has not shown this state yet, and ${why}$`,
          ) as string,
        });
      },
    );

    it('is answered with its state where Redis does not take what Armada’s api.Jobs reports', async () => {
      await write({ state: 'denied', reason: '' }, { j: record('RUNNING') });
      armada.add('j', { state: JobState.SUCCEEDED });
      sinkFailure = new Error('OOM command not allowed');
      expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
        status: { state: 'RUNNING' },
        outdated: expect.stringMatching(/Redis refuses writes/) as string,
      });
    });

    it('is answered with its state where too many calls wait for a look-up to be waited for', async () => {
      await write({ state: 'denied', reason: '' }, { j: record('RUNNING') });
      waitingFailure = new RpcError(status.RESOURCE_EXHAUSTED, 'concurrency limit reached');
      expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
        status: { state: 'RUNNING' },
        outdated: expect.stringMatching(/, and concurrency limit reached$/) as string,
      });
      expect(armada.calls).toEqual([]);
    });

    it('rejects at a defect, which is no answer of Armada', async () => {
      await write({ state: 'denied', reason: '' }, { j: record('RUNNING') });
      waitingFailure = new TypeError('undefined is not a function');
      await expect(query().run(KEY, JobId('j'), caller)).rejects.toThrow(TypeError);
    });

    it('is answered without Armada’s api.Jobs where a stream does', async () => {
      await write({ state: 'live', reason: '', syncedAt: monotonicNow() }, { j: record('RUNNING') });
      expect(await query().run(KEY, JobId('j'), caller)).toEqual({
        kind: 'resolved',
        status: expect.objectContaining({ state: 'RUNNING' }) as unknown,
        subscription: expect.objectContaining({ state: 'live' }) as unknown,
      });
      expect([armada.calls, reads]).toEqual([[], 1]);
    });
  });

  describe('whose end Armada’s api.Jobs has reported', () => {
    it('is looked up again where the report had no reason, and answered with its end in any case', async () => {
      await store.report(KEY, new Map([[JobId('j'), { state: 'FAILED' }]]));
      armada.failure = ARMADA_UNAVAILABLE;
      const { kind, ...answer } = await query().run(KEY, JobId('j'), caller);
      expect([kind, answer]).toEqual([
        'resolved',
        expect.not.objectContaining({ outdated: expect.anything() as unknown }),
      ]);
      armada.failure = undefined;
      armada.add('j', { state: JobState.FAILED });
      armada.errorTexts.set('j', 'exit 7');
      for (let i = 0; i < 2; i++) {
        expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
          status: { state: 'FAILED', failure: { reason: 'exit 7' } },
        });
      }
      expect(armada.calls.map(([method]) => method)).toEqual(['details', 'details', 'errors']);
    });

    it('is answered with the end that a caller was answered without Redis, and not with what Redis had', async () => {
      await write({ state: 'live', reason: '', syncedAt: monotonicNow() }, { j: record('RUNNING') });
      armada.add('j', { state: JobState.SUCCEEDED });
      const [details] = armada.jobs.values();
      if (details !== undefined) recorder.toldUnrecorded([{ details, report: { state: 'SUCCEEDED' } }]);
      // The write takes longer than the read after it would.
      const report = store.report.bind(store);
      store.report = async (...reports) => {
        await new Promise((resolve) => setImmediate(resolve));
        return report(...reports);
      };
      expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({ status: { state: 'SUCCEEDED' } });
    });

    it.each(['for the first catch-up', 'for Armada’s api.Jobs'])(
      'is answered with the end that another caller was answered without Redis while it waited %s',
      async (what) => {
        const details = { ...JobDetails.decode(new Uint8Array()), jobId: 'j', queue: 'q', jobset: 's' };
        const tellAnother = (): void =>
          recorder.toldUnrecorded([{ details, report: { state: 'SUCCEEDED' } }]);
        if (what === 'for Armada’s api.Jobs') {
          await write({ state: 'denied', reason: '' }, { j: record('RUNNING') });
          armada.details = () => {
            tellAnother();
            return Promise.resolve(new Map([[JobId('j'), { ...details, state: JobState.RUNNING }]]));
          };
        } else {
          await write({ state: 'catching-up', reason: '' }, { j: record('QUEUED') });
          onPause = () => {
            tellAnother();
            return write({ state: 'live', reason: '', syncedAt: MonotonicTime(1) }, { j: record('RUNNING') });
          };
        }
        expect(await query(1e9).run(KEY, JobId('j'), caller)).toMatchObject({
          status: { state: 'SUCCEEDED' },
        });
      },
    );
  });

  it('is not answered with absent where Redis has lost what Armada’s api.Jobs reported', async () => {
    await write({ state: 'live', reason: '', syncedAt: monotonicNow() });
    armada.add('j', { state: JobState.RUNNING });
    const report = store.report.bind(store);
    store.report = async (...reports) => {
      const held = await report(...reports);
      store = new MemoryJobStore();
      return held;
    };
    expect(await query().run(KEY, JobId('j'), caller)).toMatchObject({
      kind: 'unresolved',
      reason: expect.stringContaining('Redis has lost') as string,
    });
  });

  it('is answered by Armada’s api.Jobs where its job set is not followed and the job is unknown', async () => {
    await write({ state: 'denied', reason: 'PERMISSION_DENIED' });
    armada.add('j', { state: JobState.RUNNING });
    expect(await query(1e9).run(KEY, JobId('j'), caller)).toMatchObject({ status: { state: 'RUNNING' } });
  });

  it('is noted, judged and looked up in the name of its caller', async () => {
    await write({ state: 'denied', reason: 'PERMISSION_DENIED' });
    await query().run(KEY, JobId('j'), testCaller({ key: 'me' }));
    expect(named).toEqual(['interest of me', 'refusal of me', 'look-up of me']);
  });

  it('is not looked up in Armada’s api.Jobs where its job set will not be followed', async () => {
    refusal = 'there are too many';
    armada.add('j', { state: JobState.RUNNING });
    expect(await query(0).run(KEY, JobId('j'), caller)).toMatchObject({
      kind: 'unresolved',
      reason: refusal,
    });
    expect(armada.calls).toEqual([]);
  });
});
