import { JobRunningEvent } from '@ajs/contracts/api/event';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually, jobEvents, unary } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import type { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { Stack, pollCalmly, type LegacyAnswer, type RunningQuery } from './stack.js';
import { JOB, QUEUE, key, ref } from './traffic.js';

let stack: Stack;
let ingester: AppProcess;
let query: RunningQuery;

beforeAll(async () => {
  // Some polls end without a state.
  stack = await Stack.start({ FIRST_POLL_WAIT: '5s' });
  stack.armada.state.queues.add(QUEUE);
  ingester = await stack.ingester();
  query = await stack.query();
}, 120_000);
afterAll(() => stack.stop());
afterEach(() => stack.armada.faults.set({}));

const log = (set: number) => stack.armada.state.openLog(QUEUE, key(set).jobSetId);
const ask = (set: number, job = 0) => pollCalmly(query.client, key(set), ref(set, job).jobId);
const inState = (set: number, state: string, job = 0) =>
  patiently(state, async () => (await ask(set, job)).state === state);
const subscriptionOf = async (set: number): Promise<unknown> =>
  (await ask(set)).trailers.get('armada-job-set-subscription')[0];

/** What a process says of whether Armada is there. */
const outageLines = ({ logs }: AppProcess) =>
  logs
    .filter(({ msg }) => msg.startsWith('Armada is '))
    .map(({ level, msg, jobSets }) => [level, msg, jobSets]);

describe('while Armada fails', () => {
  it('its absence is one warning and one line at its end, with the job sets affected, in each process', async () => {
    const sets = Array.from({ length: 20 }, (_, i) => 10 + i);
    for (const set of sets) log(set).append(jobEvents.running(ref(set, 0), JOB));
    for (const set of sets) await inState(set, 'RUNNING');
    await patiently('all are watched', () => stack.armada.events.watches === sets.length);
    stack.armada.faults.set({ unavailable: true });
    stack.armada.events.endStreams(status.UNAVAILABLE);
    await ingester.logged('Armada is unavailable; known jobs keep their last state until it is back');
    // The query has no streams: its calls show it.
    await patiently('the query notices it', async () => {
      await unary(query.client, JobServiceService.health, {});
      return outageLines(query.app).length === 1;
    });
    stack.armada.faults.set({});
    for (const app of [ingester, query.app]) await app.logged('Armada is available again');
    expect(outageLines(ingester)).toEqual([
      ['warn', 'Armada is unavailable; known jobs keep their last state until it is back', sets.length],
      ['info', 'Armada is available again', sets.length],
    ]);
    expect(outageLines(query.app)).toHaveLength(2);
    const others = ingester.logs.filter(({ msg }) => /stream/.test(msg));
    expect(others).toEqual([]);
  }, 120_000);

  it('no job of a queue that Armada does not know yet is reported as not found', async () => {
    log(1).append(jobEvents.running(ref(1, 0), JOB));
    stack.armada.faults.set({ missingQueues: [QUEUE] });
    const answers: LegacyAnswer[] = [];
    const isAnswered = (what: string, isSo: (one: LegacyAnswer) => boolean) =>
      patiently(what, async () => {
        const one = await ask(1);
        answers.push(one);
        return isSo(one);
      });
    await isAnswered('the reason is given', ({ error }) => error.includes(QUEUE));
    stack.armada.faults.set({});
    await isAnswered('the job is running', ({ state }) => state === 'RUNNING');
    expect(answers.map(({ state }) => state).filter((state) => state !== 'CONNECTION_ERR')).toEqual([
      'RUNNING',
    ]);
  }, 120_000);

  it('a permission revoked under an open watch is noticed, and known states stay', async () => {
    log(2).append(jobEvents.running(ref(2, 0), JOB));
    await inState(2, 'RUNNING');
    await patiently('it is watched', async () => (await subscriptionOf(2)) === 'live');
    stack.armada.faults.set({ deniedQueues: [QUEUE] });
    await patiently('it is noticed', async () => (await subscriptionOf(2)) === 'denied');
    const known = await ask(2);
    expect(known.state).toBe('RUNNING');
    expect(await ask(2, 1)).toMatchObject({
      state: 'CONNECTION_ERR',
      error: expect.stringContaining('denies this service permission to watch the queue') as string,
    });
    stack.armada.faults.set({});
    log(2).append(jobEvents.succeeded(ref(2, 0)));
    // What is denied is tried again once a minute.
    await eventually('it is followed again', async () => (await ask(2)).state === 'SUCCEEDED', 120_000);
  }, 240_000);

  it('events that Armada repeats after a crash change nothing', async () => {
    log(3).append(jobEvents.submitted(ref(3, 0), JOB));
    log(3).append(jobEvents.running(ref(3, 0), JOB));
    await inState(3, 'RUNNING');
    log(3).append(jobEvents.succeeded(ref(3, 0)));
    log(3).append(jobEvents.running(ref(3, 1), JOB));
    await inState(3, 'SUCCEEDED');
    stack.armada.events.endStreams(status.UNAVAILABLE);
    log(3).duplicateNewest(4);
    log(3).append(jobEvents.succeeded(ref(3, 1)));
    await inState(3, 'SUCCEEDED', 1);
    expect((await ask(3)).state).toBe('SUCCEEDED');
  }, 120_000);

  it('a stream whose oldest events have expired begins in the middle of a job’s life', async () => {
    for (let job = 0; job < 10; job++) log(4).append(jobEvents.submitted(ref(4, job), JOB));
    log(4).append(jobEvents.running(ref(4, 9), JOB));
    log(4).forgetOldest(20);
    await inState(4, 'RUNNING', 9);
    await inState(4, 'JOB_ID_NOT_FOUND', 0);
  }, 120_000);

  it('a message of 4 MiB is read like any other', async () => {
    const value = {
      ...JobRunningEvent.decode(new Uint8Array()),
      ...ref(5, 0),
      nodeName: 'n'.repeat(4 * 1_048_576),
    };
    log(5).append([{ events: { $case: 'running', value } }]);
    log(5).append(jobEvents.succeeded(ref(5, 1)));
    await inState(5, 'RUNNING');
    await inState(5, 'SUCCEEDED', 1);
  }, 120_000);

  it('slow streams that are then reset lose nothing', async () => {
    log(6).append(jobEvents.running(ref(6, 0), JOB));
    stack.armada.faults.set({ delayMs: 1_500 });
    await inState(6, 'RUNNING');
    stack.armada.faults.set({});
    for (const code of [status.UNAVAILABLE, status.INTERNAL, status.RESOURCE_EXHAUSTED]) {
      stack.armada.events.endStreams(code);
    }
    log(6).append(jobEvents.succeeded(ref(6, 0)));
    await inState(6, 'SUCCEEDED');
  }, 120_000);
});
