import {
  JobState as V2JobState,
  WaitCondition,
  type JobRef,
  type JobResult,
  type WaitForJobsRequest,
  type WaitForJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, MonotonicTime, addMs, type JobRecord } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import type { JobSetEvent } from '../changes/job-set-stream.js';
import type { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { KEY, V2Harness, byId, refOf } from './testing/v2-harness.js';

const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});

let harness: V2Harness;
beforeEach(() => {
  harness = new V2Harness();
});
afterEach(() => {
  harness.close();
});

/** A caller that goes away when a spec says so, perhaps since its deadline has passed. */
function leavingCaller(): { readonly caller: Caller; readonly leave: (why?: 'is late') => void } {
  const listeners: (() => void)[] = [];
  let isGone = false;
  let deadline = MonotonicTime(Infinity);
  return {
    caller: {
      ...testCaller({ isGone: () => isGone, whenGone: (listener) => listeners.push(listener) }),
      get deadline() {
        return deadline;
      },
    },
    leave: (why) => {
      if (why === 'is late') deadline = monotonicNow();
      isGone = true;
      for (const listener of listeners.splice(0)) listener();
    },
  };
}

const stateOf = ({ result }: JobResult): V2JobState | undefined =>
  result?.$case === 'job' ? result.value.state : undefined;

describe('WaitForJobs', () => {
  const wait = (
    refs: JobRef[],
    more: Partial<WaitForJobsRequest> = {},
    caller: Caller = testCaller(),
  ): Promise<WaitForJobsResponse> =>
    harness.api.waitForJobs(
      {
        refs,
        condition: WaitCondition.WAIT_CONDITION_UNSPECIFIED,
        states: [],
        count: 0,
        maxWait: undefined,
        ...more,
      },
      caller,
    );
  const isWaiting = () => eventually('it waits', () => harness.open.waitForJobs === 1);

  it('answers at once where the jobs have ended', async () => {
    await harness.write({ a: record('SUCCEEDED'), b: record('FAILED') });
    const { satisfied, results } = await wait([refOf('a'), refOf('b')]);
    expect([satisfied, results.map(stateOf)]).toEqual([
      true,
      [V2JobState.JOB_STATE_SUCCEEDED, V2JobState.JOB_STATE_FAILED],
    ]);
  });

  it('answers once all jobs have ended, those that are named by their id alone included', async () => {
    await harness.write({ a: record('RUNNING'), b: record('QUEUED') });
    const answer = wait([byId('a'), refOf('b')]);
    await isWaiting();
    await harness.write({ a: record('SUCCEEDED') });
    await harness.write({ b: record('CANCELLED') });
    const { satisfied, results } = await answer;
    expect(satisfied).toBe(true);
    expect(results).toMatchObject([
      { ref: byId('a'), freshness: { cursor: '1:0:0:1' } },
      { ref: refOf('b') },
    ]);
    expect(results.map(stateOf)).toEqual([V2JobState.JOB_STATE_SUCCEEDED, V2JobState.JOB_STATE_CANCELLED]);
    expect(harness.open.waitForJobs).toBe(0);
  });

  it('answers where a job that did not exist has come and ended', async () => {
    await harness.write({});
    const answer = wait([refOf('a')]);
    await isWaiting();
    await harness.write({ a: record('FAILED') });
    expect((await answer).satisfied).toBe(true);
  });

  it.each<[string, Partial<WaitForJobsRequest>]>([
    ['any of them', { condition: WaitCondition.WAIT_CONDITION_ANY }],
    ['a count of them', { count: 1 }],
    ['states that are not terminal', { count: 1, states: [V2JobState.JOB_STATE_RUNNING] }],
    ['states that can never come any more', { count: 1, states: [V2JobState.JOB_STATE_FAILED] }],
  ])('answers for %s', async (_, request) => {
    await harness.write({ a: record('QUEUED'), b: record('QUEUED') });
    const answer = wait([refOf('a'), refOf('b')], request);
    await isWaiting();
    await harness.write({ a: record('LEASED') });
    const isRunning = request.states?.[0] === V2JobState.JOB_STATE_RUNNING;
    await harness.write({ a: record(isRunning ? 'RUNNING' : 'SUCCEEDED') });
    expect((await answer).satisfied).toBe(true);
  });

  it('answers with each job as it is then, also one that had come far enough before and has gone on', async () => {
    await harness.write({ a: record('RUNNING'), b: record('QUEUED'), c: record('RUNNING') });
    const answer = wait([refOf('a'), refOf('b'), refOf('c')], { states: [V2JobState.JOB_STATE_RUNNING] });
    await isWaiting();
    await harness.write({ a: record('SUCCEEDED') });
    await harness.write({ c: record('QUEUED') });
    await harness.write({ b: record('RUNNING') });
    const { satisfied, results } = await answer;
    expect([satisfied, results.map(stateOf)]).toEqual([
      true,
      [V2JobState.JOB_STATE_SUCCEEDED, V2JobState.JOB_STATE_RUNNING, V2JobState.JOB_STATE_QUEUED],
    ]);
  });

  it('answers what it has at its end, which is before the deadline of its caller', async () => {
    await harness.write({ a: record('QUEUED') });
    const answers = [
      wait([refOf('a')], { maxWait: { seconds: '0', nanos: 50_000_000 } }),
      wait([refOf('a')], {}, testCaller({ deadline: addMs(monotonicNow(), 300) })),
    ];
    for (const { satisfied, results } of await Promise.all(answers)) {
      expect([satisfied, results.map(stateOf)]).toEqual([false, [V2JobState.JOB_STATE_QUEUED]]);
    }
  });

  it('answers what it has where the process stops', async () => {
    await harness.write({ a: record('QUEUED'), b: record('QUEUED') });
    const answer = wait([refOf('a'), refOf('b')]);
    await isWaiting();
    await harness.write({ a: record('SUCCEEDED') });
    await eventually('it is reported', () => true);
    harness.streams.stop();
    const { satisfied, results } = await answer;
    expect([satisfied, results.map(stateOf)]).toEqual([
      false,
      [V2JobState.JOB_STATE_SUCCEEDED, V2JobState.JOB_STATE_QUEUED],
    ]);
  });

  it('frees everything as soon as its caller has gone', async () => {
    await harness.write({ a: record('QUEUED') });
    const { caller, leave } = leavingCaller();
    const answer = wait([refOf('a')], {}, caller);
    await isWaiting();
    leave();
    await expect(answer).rejects.toMatchObject({ code: status.CANCELLED });
    expect(harness.open.waitForJobs).toBe(0);
  });

  it('is denied once its caller may not watch the queue any more', async () => {
    await harness.write({ a: record('QUEUED') });
    const answer = wait([refOf('a')]);
    await isWaiting();
    harness.verdictOn = () => 'no';
    await expect(answer).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it('is rejected where its caller waits too often, or for too many jobs, by the name of the limit', async () => {
    await harness.write({ a: record('QUEUED') });
    const many = Array.from({ length: 900 }, () => refOf('a'));
    const first = wait(many);
    await isWaiting();
    await expect(wait(many)).rejects.toThrow('MAX_AWAITED_JOBS');
    const others = Array.from({ length: 5 }, () => wait([refOf('a')]));
    await eventually('they wait', () => harness.open.waitForJobs === 6);
    await expect(wait([refOf('a')])).rejects.toThrow('MAX_OPEN_WAITS');
    harness.streams.stop();
    await Promise.all([first, ...others]);
  });

  it('is rejected where less is left than it needs, by the name of the limit, and not as if its caller had used up its share', async () => {
    await harness.write({ a: record('QUEUED') });
    const many = Array.from({ length: 900 }, () => refOf('a'));
    const waits = ['first', 'second'].map((key) => wait(many, {}, testCaller({ key })));
    await eventually('both wait', () => harness.open.waitForJobs === 2);
    await expect(wait(many, {}, testCaller({ key: 'third' }))).rejects.toThrow(
      'limit reached: this replica waits for at most 2000 jobs at once (MAX_AWAITED_JOBS)',
    );
    harness.streams.stop();
    await Promise.all(waits);
  });

  it.each<[string, Partial<WaitForJobsRequest>]>([
    ['more jobs than it names', { count: 2 }],
    ['a condition that is none', { condition: 7 as WaitCondition }],
    ['a state that is none', { states: [99 as V2JobState] }],
  ])('rejects %s', async (_, request) => {
    await expect(wait([refOf('a')], request)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('a caller that goes before its call is open', () => {
  const refs = [refOf('a')];
  it.each<[string, (caller: Caller) => Promise<unknown>]>([
    [
      'WaitForJobs',
      (caller) =>
        harness.api.waitForJobs(
          { refs, condition: 0, states: [], count: 0, maxWait: { seconds: '0', nanos: 50_000_000 } },
          caller,
        ),
    ],
    ['WatchJobs', (caller) => harness.jobs.watch({ refs }, caller, () => undefined)],
    ['WatchJobSet', (caller) => harness.jobSets.watch(KEY, '', caller, () => undefined)],
  ])('leaves nothing open: %s', async (_, call) => {
    await harness.write({ a: record('QUEUED') });
    const { caller, leave } = leavingCaller();
    harness.verdictOn = () => {
      harness.verdictOn = () => 'yes';
      leave();
      return 'yes';
    };
    let ended: unknown;
    call(caller).then(
      () => (ended = 'with an answer'),
      (error: unknown) => (ended = error),
    );
    await eventually('it ends', () => ended !== undefined);
    expect(ended).toMatchObject({ code: status.CANCELLED });
    expect(harness.open).toEqual({ waitForJobs: 0, watchJobs: 0, watchJobSet: 0 });
  });
});

it('WaitForJobs and WatchJobs continue where the job set has a new generation, with revisions of its own', async () => {
  for (const state of ['QUEUED', 'LEASED', 'PENDING'] as const) await harness.write({ a: record(state) });
  const refs = [refOf('a')];
  const answer = harness.api.waitForJobs(
    { refs, condition: 0, states: [], count: 0, maxWait: { seconds: '5', nanos: 0 } },
    testCaller(),
  );
  const told: (V2JobState | undefined)[] = [];
  const watch = harness.jobs.watch({ refs }, testCaller(), (result) => void told.push(stateOf(result)));
  watch.catch(() => undefined);
  await eventually('both are open', () => harness.open.waitForJobs + harness.open.watchJobs === 2);
  await harness.write({ a: record('RUNNING') });
  await eventually('it is reported', () => told.at(-1) === V2JobState.JOB_STATE_RUNNING);
  await harness.loseJobSet();
  await harness.write({ a: record('FAILED') });
  expect((await answer).results.map(stateOf)).toEqual([V2JobState.JOB_STATE_FAILED]);
  await eventually('the watch has ended', () => harness.open.watchJobs === 0);
  expect(told.at(-1)).toBe(V2JobState.JOB_STATE_FAILED);
});

describe('WatchJobs', () => {
  it('sends each job, then each change, and ends once all have ended', async () => {
    await harness.write({ a: record('QUEUED'), b: record('SUCCEEDED') });
    const told: (readonly [string, V2JobState | undefined])[] = [];
    const watch = harness.jobs.watch({ refs: [refOf('a'), refOf('b')] }, testCaller(), (result) => {
      told.push([result.ref?.jobId ?? '', stateOf(result)]);
      return undefined;
    });
    await eventually('both', () => told.length === 2);
    await harness.write({ a: record('RUNNING') });
    await eventually('the change', () => told.length === 3);
    await harness.write({ a: record('FAILED') });
    await watch;
    expect(told).toEqual([
      ['a', V2JobState.JOB_STATE_QUEUED],
      ['b', V2JobState.JOB_STATE_SUCCEEDED],
      ['a', V2JobState.JOB_STATE_RUNNING],
      ['a', V2JobState.JOB_STATE_FAILED],
    ]);
    expect(harness.open.watchJobs).toBe(0);
  });
});

describe('WatchJobSet', () => {
  it.each<[string, status, (leave: (why?: 'is late') => void) => unknown]>([
    ['UNAVAILABLE where the process stops', status.UNAVAILABLE, () => harness.streams.stop()],
    [
      'PERMISSION_DENIED once its caller may not watch the queue any more',
      status.PERMISSION_DENIED,
      () => (harness.verdictOn = () => 'no'),
    ],
    ['CANCELLED, and frees everything, as soon as its caller has gone', status.CANCELLED, (leave) => leave()],
    [
      'DEADLINE_EXCEEDED as soon as its deadline has passed',
      status.DEADLINE_EXCEEDED,
      (leave) => leave('is late'),
    ],
  ])('ends %s, with its last token in the trailers', async (_, code, happens) => {
    await harness.write({ a: record('QUEUED') });
    const events: JobSetEvent[] = [];
    const { caller, leave } = leavingCaller();
    const ended = harness.jobSets
      .watch(KEY, '', caller, (told) => void events.push(...told))
      .catch((error: unknown) => error);
    await eventually('the snapshot', () => events.length === 2);
    happens(leave);
    const error = await ended;
    expect(error).toMatchObject({ code });
    expect((error as RpcError).metadata?.get('resume-token')).toEqual([events.at(-1)?.token]);
    expect(harness.open.watchJobSet).toBe(0);
  });

  it('ends DEADLINE_EXCEEDED where its caller has gone since its deadline has passed', async () => {
    await harness.write({ a: record('QUEUED') });
    const { caller, leave } = leavingCaller();
    const ended = harness.jobSets
      .watch(KEY, '', { ...caller, deadline: monotonicNow() }, () => undefined)
      .catch((error: unknown) => error);
    await eventually('it is open', () => harness.open.watchJobSet === 1);
    leave();
    expect(await ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('counts as interest', async () => {
    void harness.jobSets.watch(KEY, '', testCaller(), () => undefined).catch(() => undefined);
    await eventually('it is open', () => harness.open.watchJobSet === 1);
    expect(harness.interest).toEqual([KEY]);
  });

  it('ends UNAVAILABLE, with its last token, where Redis fails', async () => {
    await harness.write({ a: record('QUEUED') });
    harness.store.readChanges = () => Promise.reject(new Error('Connection is closed.'));
    const error: unknown = await harness.jobSets
      .watch(KEY, '', testCaller(), () => undefined)
      .catch((why: unknown) => why);
    expect(error).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'Redis is unavailable; resume with the token in the trailer resume-token',
    });
    expect((error as RpcError).metadata?.get('resume-token')).toHaveLength(1);
  });

  it('ends OUT_OF_RANGE, without a token, where the job set has a new generation', async () => {
    await harness.write({ a: record('QUEUED') });
    let told = 0;
    const ended = harness.jobSets
      .watch(KEY, '', testCaller(), ({ length }) => void (told += length))
      .catch((why: unknown) => why);
    await eventually('the snapshot', () => told === 2);
    await harness.loseJobSet();
    await harness.write({ a: record('QUEUED') });
    const error = (await ended) as RpcError;
    expect([error.code, error.metadata?.get('resume-token') ?? []]).toEqual([status.OUT_OF_RANGE, []]);
  });

  it('is denied to those who may not watch the queue, whether or not the job set exists', async () => {
    await harness.write({ a: record('QUEUED') });
    harness.verdictOn = () => 'no';
    const sent: unknown[] = [];
    for (const key of [KEY, { ...KEY, jobSetId: 'none' }]) {
      const watch = harness.jobSets.watch(key, '', testCaller(), (events) => void sent.push(events));
      await expect(watch).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    }
    expect([sent, harness.interest]).toEqual([[], []]);
  });
});
