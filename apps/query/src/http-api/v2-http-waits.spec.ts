import { once } from 'node:events';
import { connect } from 'node:net';
import { ArmadaTime, msBetween, type JobRecord } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { TIMEOUTS } from '@ajs/runtime';
import { eventually } from '@ajs/testing';
import { durationMs } from '../v2/requests.js';
import { V2Harness } from '../v2/testing/v2-harness.js';
import type { V2Api } from '../v2/v2-api.js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

const PATH = '/v2/queues/q/job-sets/s/jobs/w';
/** After so long without a byte the port closes other connections. */
const SHORT_SILENCE = { ...TIMEOUTS, silence: 1_000 };

/** As the stream shows a job. */
const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1_000),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});

describe('waiting over HTTP', () => {
  let harness: V2Harness;
  let served: ServedJobs;
  /** How long the last call may wait: by its request, and by its deadline. Milliseconds. */
  let limits: { readonly maxWait: number; readonly deadline: number };

  async function serve(timeouts = TIMEOUTS): Promise<void> {
    harness = new V2Harness();
    const { api } = harness;
    const v2: V2Api = {
      ...api,
      waitForJobs: (request, caller) => {
        const maxWait = durationMs('max_wait', request.maxWait) ?? NaN;
        limits = { maxWait, deadline: msBetween(monotonicNow(), caller.deadline) };
        return api.waitForJobs(request, caller);
      },
    };
    served = await ServedJobs.start(new JobsInMemory(), { v2, timeouts });
  }
  async function stop(): Promise<void> {
    await served.close();
    harness.close();
  }
  beforeEach(() => serve());
  afterEach(stop);

  const json = async (path: string): Promise<unknown> => (await served.fetch(path, {})).json();
  const post = (request: object = {}) =>
    served.post('/v2/jobs:wait', { refs: [{ queue: 'q', jobSet: 's', jobId: 'w' }], ...request });
  const waits = (): Promise<unknown> => eventually('it waits', () => harness.open.waitForJobs === 1);

  /** Until the port has closed a connection on which nothing was sent. */
  async function untilSilenceIsOver(): Promise<void> {
    const silent = connect(served.port, '127.0.0.1').resume();
    await once(silent, 'close');
  }

  it('waits with wait= for the end of a job, and answers with the job as it is when the time is over', async () => {
    await harness.write({ w: record('RUNNING') });
    expect(await json(`${PATH}?wait=0.05s`)).toMatchObject({ job: { state: 'JOB_STATE_RUNNING' } });
    const waiting = json(`${PATH}?wait=20s`);
    await waits();
    await harness.write({ w: record('FAILED') });
    expect(await waiting).toMatchObject({ job: { state: 'JOB_STATE_FAILED', terminal: true } });
    // As it ended, or as it never had to wait: for the metrics it is a wait.
    expect(await json(PATH)).toMatchObject({ job: { terminal: true } });
    expect(served.answers).toEqual(['waitForJobs OK', 'waitForJobs OK', 'batchGetJobs OK']);
  });

  it('answers WaitForJobs when the jobs have come as far as was asked for', async () => {
    await harness.write({ x: record('QUEUED'), y: record('QUEUED') });
    const refs = ['x', 'y'].map((jobId) => ({ queue: 'q', jobSet: 's', jobId }));
    const waiting = served.post('/v2/jobs:wait', {
      refs,
      condition: 'WAIT_CONDITION_ANY',
      states: ['JOB_STATE_RUNNING'],
      maxWait: '20s',
    });
    await waits();
    await harness.write({ y: record('RUNNING') });
    expect(await (await waiting).json()).toMatchObject({
      satisfied: true,
      results: [{ job: { state: 'JOB_STATE_QUEUED' } }, { job: { state: 'JOB_STATE_RUNNING' } }],
    });
  });

  it.each([
    ['wait=10m', () => served.fetch(`${PATH}?wait=10m`)],
    ['maxWait of ten minutes', () => post({ maxWait: '600s' })],
  ])('goes on with %s for longer than a connection may be silent otherwise', async (_, call) => {
    await stop();
    await serve(SHORT_SILENCE);
    await harness.write({ w: record('RUNNING') });
    const waiting = call();
    await waits();
    await untilSilenceIsOver();
    await harness.write({ w: record('SUCCEEDED') });
    expect(await (await waiting).text()).toContain('JOB_STATE_SUCCEEDED');
  });

  it.each([
    ['0.25s', 250],
    ['45s', 45_000],
    ['10m', 600_000],
    ['1.5h', 5_400_000],
  ])('has no other limit than wait=%s', async (wait, ms) => {
    await harness.write({ w: record('SUCCEEDED') });
    await json(`${PATH}?wait=${wait}`);
    expect(limits).toEqual({ maxWait: ms, deadline: Infinity });
  });

  it('has the limit of maxWait, and 30 s without one, which is less than proxies wait', async () => {
    await harness.write({ w: record('SUCCEEDED') });
    await post({ maxWait: '600s' });
    expect(limits).toEqual({ maxWait: 600_000, deadline: Infinity });
    await post();
    expect(limits).toEqual({ maxWait: 30_000, deadline: Infinity });
  });

  it('ends at the Grpc-Timeout of the caller, however long it would wait', async () => {
    await harness.write({ w: record('SUCCEEDED') });
    await served.fetch(`${PATH}?wait=10m`, { headers: { 'Grpc-Timeout': '20S' } });
    expect(limits.deadline).toBeLessThanOrEqual(20_000);
  });

  it('gives a call that does not wait 30 s', async () => {
    await harness.write({ w: record('RUNNING') });
    await json(PATH);
    expect(limits.maxWait).toBe(0);
    expect(limits.deadline).toBeLessThanOrEqual(30_000);
  });

  it('lets a caller go whose connection closes', async () => {
    await harness.write({ w: record('RUNNING') });
    const leave = new AbortController();
    const waiting = served.fetch(`${PATH}?wait=10m`, { signal: leave.signal });
    await waits();
    leave.abort();
    await expect(waiting).rejects.toThrow('aborted');
    await eventually('its place is free', () => harness.open.waitForJobs === 0);
  });
});
