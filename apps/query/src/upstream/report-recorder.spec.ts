import type { ReportedJob } from '@ajs/armada-client';
import { JobDetails } from '@ajs/contracts/api/job';
import { JobId, type JobReport, type JobSetKey, type JobState } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { RedisReadError } from '../store/redis-read.js';
import { ReportRecorder } from './report-recorder.js';

const KEY = { queue: 'q', jobSetId: 's' };
const [A, B] = [JobId('a'), JobId('b')];
const UNAVAILABLE = new Error('Connection is closed.');
const FULL = new Error("OOM command not allowed when used memory > 'maxmemory'.");

let store: MemoryJobStore;
let recorder: ReportRecorder;
let noted: JobSetKey[];
let redisFailures: unknown[];
/** What Redis does with a report of the job set, instead of taking it. */
let instead: (jobSetId: string) => Promise<void>;

beforeEach(() => {
  store = new MemoryJobStore();
  noted = [];
  redisFailures = [];
  instead = () => Promise.resolve();
  recorder = new ReportRecorder({
    sink: {
      report: async (key, reports) => {
        await instead(key.jobSetId);
        return store.report(key, reports);
      },
    },
    noteInterest: (key) => noted.push(key),
    redisFailed: (error) => redisFailures.push(error),
  });
});

function reported(jobId: JobId, state: JobState | undefined, jobset = 's', queue = 'q'): ReportedJob {
  const details = { ...JobDetails.decode(new Uint8Array()), jobId, queue, jobset };
  return { details, ...(state !== undefined && { report: { state } satisfies JobReport }) };
}
const fails =
  (error: Error, jobSetId = 's') =>
  (of: string) =>
    of === jobSetId ? Promise.reject(error) : Promise.resolve();
const stateOf = async (jobId: JobId, key = KEY) => (await store.read(key, [jobId])).jobs.get(jobId)?.state;

describe('what Armada reports of jobs', () => {
  it('is in Redis, and the job sets are followed, before it is answered', async () => {
    const held = await recorder.record([reported(A, 'RUNNING'), reported(B, 'QUEUED', 'other')]);
    expect(Array.from(held, ([jobId, { state }]) => [jobId, state])).toEqual([
      [A, 'RUNNING'],
      [B, 'QUEUED'],
    ]);
    expect(await stateOf(A)).toBe('RUNNING');
    expect(noted).toEqual([KEY, { ...KEY, jobSetId: 'other' }]);
  });

  it('is recorded in one job set although Redis fails that of another', async () => {
    instead = fails(UNAVAILABLE);
    const held = await recorder.record([reported(A, 'RUNNING'), reported(B, 'RUNNING', 'other')]);
    expect([...held.keys()]).toEqual([B]);
    expect(redisFailures).toEqual([UNAVAILABLE]);
  });

  it.each<[string, ReportedJob]>([
    ['in a state that this version does not know', reported(A, undefined)],
    ['without a job set', reported(A, 'RUNNING', '')],
    ['without a queue', reported(A, 'RUNNING', 's', '')],
  ])('is not recorded of a job %s', async (_, job) => {
    expect((await recorder.record([job])).size).toBe(0);
    recorder.toldUnrecorded([job]);
    const owed = recorder.settle([A]);
    // A rejection is to fail an assertion, not to end the process.
    owed?.catch(() => undefined);
    expect(owed).toBeUndefined();
    expect(noted).toEqual([]);
  });
});

describe('what callers were answered while Redis did not take it', () => {
  it('is written before the job is read again, once, and not for other jobs', async () => {
    expect(recorder.settle([A])).toBeUndefined();
    recorder.toldUnrecorded([reported(A, 'RUNNING')]);
    expect(recorder.settle([B])).toBeUndefined();
    await recorder.settle([B, A]);
    expect(await stateOf(A)).toBe('RUNNING');
    expect(recorder.settle([A])).toBeUndefined();
  });

  it('is owed until Redis takes it, and no read is answered meanwhile', async () => {
    recorder.toldUnrecorded([reported(A, 'RUNNING')]);
    instead = fails(UNAVAILABLE);
    await expect(recorder.settle([A])).rejects.toEqual(new RedisReadError('unavailable', UNAVAILABLE));
    instead = () => Promise.resolve();
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('RUNNING');
  });

  it('is owed, too, while Redis takes no writes, which keeps no read from its answer', async () => {
    recorder.toldUnrecorded([reported(A, 'RUNNING')]);
    instead = fails(FULL);
    await recorder.settle([A]);
    expect(redisFailures).toEqual([FULL]);
    instead = () => Promise.resolve();
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('RUNNING');
  });

  it('stays owed, however many jobs of another queue callers are answered', async () => {
    recorder.toldUnrecorded([reported(A, 'RUNNING')]);
    recorder.toldUnrecorded(
      Array.from({ length: 20_000 }, (_, i) => reported(JobId(`flood ${i}`), 'RUNNING', 's', 'another')),
    );
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('RUNNING');
  });

  it.each(['PENDING', 'SUCCEEDED'] as const)(
    'stays %s, whatever callers are answered after it by an answer that was on its way',
    async (state) => {
      recorder.toldUnrecorded([reported(A, 'LEASED')]);
      recorder.toldUnrecorded([reported(A, state)]);
      recorder.toldUnrecorded([reported(A, 'LEASED')]);
      await recorder.settle([A]);
      expect(await stateOf(A)).toBe(state);
    },
  );

  it('is not undone where an earlier report of the job is recorded after it', async () => {
    recorder.toldUnrecorded([reported(A, 'SUCCEEDED')]);
    const held = await recorder.record([reported(A, 'RUNNING'), reported(B, 'RUNNING')]);
    expect(Array.from(held, ([jobId, { state }]) => [jobId, state])).toEqual([
      [A, 'SUCCEEDED'],
      [B, 'RUNNING'],
    ]);
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('SUCCEEDED');
  });

  it('is no longer owed once a later report of the job is recorded', async () => {
    recorder.toldUnrecorded([reported(A, 'RUNNING')]);
    await recorder.record([reported(A, 'SUCCEEDED')]);
    expect(recorder.settle([A])).toBeUndefined();
    expect(await stateOf(A)).toBe('SUCCEEDED');
  });

  it.each<[string, () => unknown]>([
    ['what was answered before is written', () => recorder.settle([A])],
    ['another report is recorded', () => recorder.record([reported(A, 'PENDING')])],
  ])('stays owed where it is answered while %s', async (_, write) => {
    recorder.toldUnrecorded([reported(A, 'QUEUED')]);
    let take = (): void => undefined;
    instead = () => new Promise((resolve) => (take = resolve));
    const written = write();
    recorder.toldUnrecorded([reported(A, 'RUNNING')]);
    take();
    await written;
    instead = () => Promise.resolve();
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('RUNNING');
  });
});
