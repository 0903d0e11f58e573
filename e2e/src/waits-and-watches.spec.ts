import {
  JobState,
  JobStatusServiceService,
  WaitCondition,
  type WaitForJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { jobEvents, unary } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import type { AppProcess } from './app-process.js';
import { jobIdFor } from './job-ids.js';
import { JobSetWatch } from './job-set-watch.js';
import { patiently } from './patiently.js';
import { Stack, poll, type RunningQuery } from './stack.js';

const KEY = { queue: 'watched', jobSetId: 's' };
const JOB = { namespace: 'n', annotations: {} };

let stack: Stack;
let query: RunningQuery;
let ingester: AppProcess;

beforeEach(async () => {
  stack = await Stack.start();
  stack.armada.state.openLog(KEY.queue, KEY.jobSetId);
  [query, ingester] = await Promise.all([stack.query(), stack.ingester()]);
}, 180_000);
afterEach(() => stack.stop());

const log = () => stack.armada.state.openLog(KEY.queue, KEY.jobSetId);
const run = (jobId: string): void => {
  const ref = { ...KEY, jobId };
  log().append([...jobEvents.submitted(ref, JOB), ...jobEvents.running(ref, JOB)]);
};
const succeed = (jobId: string): void => {
  log().append(jobEvents.succeeded({ ...KEY, jobId }));
};
const stateIs = (jobId: string, state: string): Promise<unknown> =>
  patiently(`${jobId} is ${state}`, async () => (await poll(query.client, KEY, jobId)).state === state);

const [A, B, C] = [jobIdFor('a'), jobIdFor('b'), jobIdFor('c')];

it('WaitForJobs answers when the last job of several has ended', async () => {
  run(A);
  run(B);
  await stateIs(B, 'RUNNING');
  const refs = [A, B].map((jobId) => ({ queue: KEY.queue, jobSet: KEY.jobSetId, jobId }));
  let answer: WaitForJobsResponse | undefined;
  const request = {
    refs,
    condition: WaitCondition.WAIT_CONDITION_ALL,
    states: [],
    count: 0,
    maxWait: { seconds: '60', nanos: 0 },
  };
  const waiting = unary(query.client, JobStatusServiceService.waitForJobs, request).then((got) => {
    answer = got.answer;
  });
  succeed(A);
  await stateIs(A, 'SUCCEEDED');
  expect(answer).toBeUndefined();
  succeed(B);
  await waiting;
  expect(answer?.satisfied).toBe(true);
  expect(answer?.results.map(({ result }) => result)).toMatchObject(
    refs.map(() => ({ $case: 'job', value: { state: JobState.JOB_STATE_SUCCEEDED, terminal: true } })),
  );
}, 180_000);

it('WatchJobSet goes on at another query after its own was killed, and after the ingester was: nothing twice, nothing missed', async () => {
  run(A);
  await stateIs(A, 'RUNNING');
  const first = new JobSetWatch(query.client, KEY);
  await first.gives(`${A} RUNNING`, 'end of the snapshot');
  run(B);
  await patiently('B is seen to run', () => first.seen.at(-1) === `${B} RUNNING`);
  await query.app.kill();
  expect((await first.ended()).code).toBe(status.UNAVAILABLE);

  succeed(A);
  query = await stack.query();
  const second = new JobSetWatch(query.client, KEY, first.token);
  await second.gives(`${A} SUCCEEDED`);

  await ingester.kill();
  succeed(B);
  await stack.ingester();
  await second.gives(`${A} SUCCEEDED`, `${B} SUCCEEDED`);
  second.cancel();
}, 120_000);

it('a query that stops ends its watches with a token that goes on elsewhere', async () => {
  run(A);
  await stateIs(A, 'RUNNING');
  const other = await stack.query();
  const first = new JobSetWatch(query.client, KEY);
  await first.gives(`${A} RUNNING`, 'end of the snapshot');
  query.app.signal('SIGTERM');
  const { code, metadata } = await first.ended();
  expect(code).toBe(status.UNAVAILABLE);
  const [token] = metadata.get('resume-token').map(String);
  run(C);
  const second = new JobSetWatch(other.client, KEY, token);
  await patiently('C is seen to run', () => second.seen.includes(`${C} RUNNING`));
  expect(second.seen.filter((seen) => seen.startsWith(A))).toEqual([]);
  second.cancel();
}, 180_000);

it('server-sent events go on at another query, behind the last event that the client names', async () => {
  run(A);
  await stateIs(A, 'RUNNING');
  const path = `/v2/queues/${KEY.queue}/job-sets/${KEY.jobSetId}/events`;
  const upTo = async (at: RunningQuery, wanted: string, lastEventId = ''): Promise<string> => {
    const leave = new AbortController();
    const headers = { 'Last-Event-ID': lastEventId };
    const response = await fetch(`${at.http}${path}`, { headers, signal: leave.signal });
    let text = '';
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (text.includes(wanted) && text.endsWith('\n\n')) break;
    }
    leave.abort();
    return text;
  };
  const first = await upTo(query, 'event: snapshot-end');
  expect(first).toContain('JOB_STATE_RUNNING');
  const [, token] = /id: (\S+)\n(?!.*id: )/s.exec(first) ?? [];
  await query.app.kill();
  succeed(A);
  const second = await upTo(await stack.query(), 'JOB_STATE_SUCCEEDED', token);
  expect(second.match(/^event: \S+/gm)?.filter((line) => line === 'event: job')).toHaveLength(1);
}, 180_000);
