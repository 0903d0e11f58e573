import type { JobRef, JobResult } from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, JobId, type JobRecord, type JobState } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { Generation } from '@ajs/redis-keys';
import { toAbsentResult, toJobResult, toV2Job, toV2JobState } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobListener } from '../changes/job-listeners.js';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import type { CallForAbsentJobs } from './absent-jobs.js';
import { JobsWatcher } from './jobs-watcher.js';
import type { OpenCall } from './open-streams.js';
import { KEY, byId, refOf } from './testing/v2-harness.js';

const GENERATION = Generation('g');
const recordOf = (state: JobState): JobRecord => ({ state, runNumber: 1, changedAt: ArmadaTime(1) });
const jobIn = (ref: JobRef, state: JobState): JobResult =>
  toJobResult(ref, toV2Job(JobId(ref.jobId), KEY, recordOf(state), {}), undefined);
const absent = (ref: JobRef, kind: 'not-synced' | 'not-found'): JobResult =>
  toAbsentResult(ref, kind, '', undefined);

/** More than any test has sent. */
const MOST_SENT = 100;

/** What was found of the jobs at first. */
let results: JobResult[];
/** Who listens to which jobs of the job set. */
let listeners: Map<string, JobListener>;
let call: OpenCall | undefined;
let lookUps: CallForAbsentJobs | undefined;
let told: string[];
/** Has what is sent taken, while the reader takes nothing by itself. */
let take: (() => void) | undefined;
let isBlocking: boolean;
/** Called with each result that is sent. */
let onSend: () => void;
beforeEach(() => {
  listeners = new Map();
  told = [];
  call = lookUps = take = undefined;
  isBlocking = false;
  onSend = () => undefined;
});

/** A watch of the jobs that {@link results} are of, once it has sent them. */
async function watch(): Promise<{ readonly ended: Promise<void> }> {
  const feed = {
    key: KEY,
    moment: undefined,
    listenTo: (jobId: JobId, listener: JobListener) => listeners.set(jobId, listener),
    stopListeningTo: (jobId: JobId) => listeners.delete(jobId),
  };
  const watcher = new JobsWatcher({
    results: { run: () => Promise.resolve(results) },
    feeds: { of: () => feed as unknown as JobSetFeed },
    streams: {
      run: (of, work) => {
        call = of;
        return work();
      },
    },
    absent: {
      lookUpFor: (of) => {
        lookUps = of;
        return () => (lookUps = undefined);
      },
    },
  });
  const refs = results.map(({ ref }) => ref ?? byId(''));
  const ended = watcher.watch({ refs }, testCaller(), (result) => {
    const { ref, result: found } = result;
    told.push(`${ref?.jobId ?? ''} ${found?.$case === 'job' ? found.value.state : 'absent'}`);
    if (told.length > MOST_SENT) throw new Error('there is no end of what is sent');
    onSend();
    return isBlocking ? new Promise((resolve) => (take = resolve)) : undefined;
  });
  ended.catch(() => undefined);
  await nextTurn();
  told.length = 0;
  return { ended };
}

const state = (jobId: string, of: JobState): string => `${jobId} ${toV2JobState(of)}`;
/** As the feed reports that a job is in a state since a revision. */
async function hears(jobId: string, of: JobState, revision: number): Promise<void> {
  const job = { record: recordOf(of), enrichment: {} };
  const changed = { jobId: JobId(jobId), generation: GENERATION, revision, job } as ChangedJob;
  listeners.get(jobId)?.job(changed);
  await nextTurn();
}

describe('a watch of jobs', () => {
  it('sends a job once as it is and once for each change, though its feed gives it again, as after trouble', async () => {
    results = [jobIn(refOf('a'), 'QUEUED')];
    await watch();
    await hears('a', 'QUEUED', 1);
    await hears('a', 'RUNNING', 2);
    await hears('a', 'RUNNING', 2);
    await hears('a', 'QUEUED', 1);
    expect(told).toEqual([state('a', 'RUNNING')]);
  });

  it('sends a job again that has come back to the state that it was in at first', async () => {
    results = [jobIn(refOf('a'), 'QUEUED')];
    await watch();
    await hears('a', 'LEASED', 2);
    await hears('a', 'QUEUED', 3);
    expect(told).toEqual([state('a', 'LEASED'), state('a', 'QUEUED')]);
  });

  it('listens to no job that has ended, and is over where all have', async () => {
    results = [jobIn(refOf('a'), 'SUCCEEDED'), jobIn(refOf('b'), 'FAILED')];
    const { ended } = await watch();
    expect([...listeners.keys()]).toEqual([]);
    await ended;
  });

  it('ends with the first reason that it is given, and listens and looks up nothing any more', async () => {
    results = [jobIn(refOf('a'), 'RUNNING'), absent(byId('b'), 'not-synced')];
    const { ended } = await watch();
    expect([[...listeners.keys()], lookUps?.jobs.size]).toEqual([['a'], 1]);
    const reasons = [status.PERMISSION_DENIED, status.CANCELLED].map((code) => new RpcError(code, 'why'));
    for (const reason of reasons) call?.end(reason);
    await expect(ended).rejects.toBe(reasons[0]);
    expect([[...listeners.keys()], lookUps]).toEqual([[], undefined]);
  });

  it.each<[string, isFirst: boolean, happens: () => unknown]>([
    ['the jobs as they are', true, () => undefined],
    ['a change', false, () => hears('a', 'RUNNING', 2)],
    ['that there is no such job', false, () => lookUps?.tell(1, absent(byId('b'), 'not-found'))],
  ])('ends at once, and sends no more, where its reader does not take %s', async (_, isFirst, happens) => {
    results = [jobIn(refOf('a'), 'QUEUED'), absent(byId('b'), 'not-synced')];
    isBlocking = isFirst;
    const { ended } = await watch();
    isBlocking = true;
    await happens();
    await hears('a', 'PENDING', 3);
    const sent = told.length;
    let reason: unknown;
    ended.catch((error: unknown) => (reason = error));
    const denied = new RpcError(status.PERMISSION_DENIED, 'why');
    call?.end(denied);
    await nextTurn();
    expect([reason, told.length]).toEqual([denied, sent]);
  });

  it('ends where it is to while it sends, and sends no more', async () => {
    results = [jobIn(refOf('a'), 'QUEUED')];
    const { ended } = await watch();
    const reason = new RpcError(status.CANCELLED, 'why');
    isBlocking = true;
    onSend = () => call?.end(reason);
    await hears('a', 'RUNNING', 2);
    let why: unknown;
    ended.catch((error: unknown) => (why = error));
    await nextTurn();
    expect([why, told]).toEqual([reason, [state('a', 'RUNNING')]]);
  });

  it('sends once that a job turned out not to exist', async () => {
    results = [absent(refOf('a'), 'not-synced')];
    await watch();
    for (let time = 0; time < 2; time++) {
      lookUps?.tell(0, absent(refOf('a'), 'not-found'));
      await nextTurn();
    }
    expect(told).toEqual(['a absent']);
  });

  it('does not send that a job turned out not to exist where it has been heard of meanwhile', async () => {
    results = [absent(refOf('a'), 'not-synced'), jobIn(refOf('b'), 'QUEUED')];
    await watch();
    isBlocking = true;
    await hears('b', 'RUNNING', 2);
    lookUps?.tell(0, absent(refOf('a'), 'not-found'));
    await hears('a', 'QUEUED', 3);
    isBlocking = false;
    take?.();
    await nextTurn();
    expect(told).toEqual([state('b', 'RUNNING'), state('a', 'QUEUED')]);
  });

  it('sends a slow reader the latest state of a job, and none that it went through meanwhile', async () => {
    results = [jobIn(refOf('a'), 'QUEUED'), jobIn(refOf('b'), 'QUEUED')];
    await watch();
    isBlocking = true;
    await hears('b', 'RUNNING', 2);
    await hears('a', 'LEASED', 3);
    await hears('a', 'PENDING', 4);
    isBlocking = false;
    take?.();
    await nextTurn();
    expect(told).toEqual([state('b', 'RUNNING'), state('a', 'PENDING')]);
  });

  it('goes on by the feed with a job that is found, and is checked for its queue from then on', async () => {
    results = [absent(byId('a'), 'not-synced')];
    const { ended } = await watch();
    expect([...(call?.queues ?? [])]).toEqual([]);
    lookUps?.tell(0, jobIn(byId('a'), 'RUNNING'));
    expect([[...(call?.queues ?? [])], [...listeners.keys()]]).toEqual([['q'], ['a']]);
    await hears('a', 'RUNNING', 1);
    await hears('a', 'SUCCEEDED', 2);
    await ended;
    expect(told).toEqual([state('a', 'RUNNING'), state('a', 'SUCCEEDED')]);
  });
});
