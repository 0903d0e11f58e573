import {
  JobServiceResponse_State,
  JobServiceService,
  type JobServiceServer,
} from '@ajs/contracts/jobservice/jobservice';
import { jobEvents } from '@ajs/testing';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { AppProcess } from './app-process.js';
import { jobIdFor } from './job-ids.js';
import { patiently } from './patiently.js';
import { Stack, poll, type RunningQuery } from './stack.js';

const KEY = { queue: 'lab', jobSetId: 's' };
const JOBS = ['a', 'b', 'c'].map((name) => jobIdFor(name));
const JOB = { namespace: 'n', annotations: {} };

let stack: Stack;
let query: RunningQuery;
/** The service before this one, which has its own word for some jobs. */
let old: Server;
let oldAddress: string;
const lies = new Map<string, keyof typeof JobServiceResponse_State>();

beforeEach(async () => {
  stack = await Stack.start();
  const log = stack.armada.state.openLog(KEY.queue, KEY.jobSetId);
  for (const jobId of JOBS) log.append(jobEvents.running({ ...KEY, jobId }, JOB));
  for (const jobId of JOBS) log.append(jobEvents.succeeded({ ...KEY, jobId }));
  await stack.ingester();
  query = await stack.query();
  // What is compared is what both say, not how long a job set takes to be read first.
  for (const jobId of JOBS) {
    await patiently(
      'the job has succeeded',
      async () => (await poll(query.client, KEY, jobId)).state === 'SUCCEEDED',
    );
  }
  lies.clear();
  old = new Server();
  const implementation: JobServiceServer = {
    getJobStatus: ({ request: { queue, jobSetId, jobId } }, answer) => {
      const lie = lies.get(jobId);
      if (lie !== undefined) answer(null, { state: JobServiceResponse_State[lie], error: '' });
      else
        poll(query.client, { queue, jobSetId }, jobId).then(
          ({ state, error }) => answer(null, { state: JobServiceResponse_State[state], error }),
          (error: unknown) => answer({ code: status.UNAVAILABLE, details: String(error) }),
        );
    },
    health: (_, answer) => answer({ code: status.UNIMPLEMENTED }),
  };
  old.addService(JobServiceService, implementation);
  oldAddress = await new Promise((resolve, reject) => {
    old.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(`127.0.0.1:${port}`) : reject(error),
    );
  });
});

afterEach(async () => {
  old.forceShutdown();
  await stack.stop();
});

function compare(...more: string[]): AppProcess {
  const args = ['--old', oldAddress, '--new', query.grpc, ...more];
  return new AppProcess('dist/tools/compare/main.js', {}, args);
}
const JOB_SET = ['--queue', KEY.queue, '--job-set', KEY.jobSetId];

it('finds nothing where both services agree about all jobs of a job set', async () => {
  const run = compare(...JOB_SET);
  expect(await run.ended(60_000)).toBe(0);
  expect(run.output).toContain('3 jobs, ');
  expect(run.output).toContain('3 ended alike');
}, 180_000);

it('names the job that the old service lies about, and exits with 1', async () => {
  const [, liedAbout = ''] = JOBS;
  lies.set(liedAbout, 'RUNNING');
  const run = compare(...JOB_SET, '--tolerance', '1s', '--for', '8s');
  expect(await run.ended(60_000)).toBe(1);
  expect(run.output).toContain('2 ended alike');
  expect(run.output).toContain(`"${liedAbout}": old RUNNING, new SUCCEEDED, for `);
}, 180_000);

it('says what is wrong with its arguments, and exits with 2', async () => {
  const run = compare('--queue', KEY.queue);
  expect(await run.ended(60_000)).toBe(2);
  expect(run.output).toMatch(/^which jobs\?/);
}, 180_000);
