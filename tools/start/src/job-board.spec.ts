import {
  Job,
  JobState,
  JobStatusServiceService,
  type WatchJobSetRequest,
  type WatchJobSetResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { eventually } from '@ajs/testing';
import { Metadata, Server, ServerCredentials, status, type ServerWritableStream } from '@grpc/grpc-js';
import { JobBoard, type Move } from './job-board.js';

type Watch = ServerWritableStream<WatchJobSetRequest, WatchJobSetResponse>;

const KEY = { queue: 'demo', jobSetId: 's' };

let server: Server;
let watches: Watch[];
let board: JobBoard;
let moves: Move[];

beforeEach(async () => {
  [watches, moves] = [[], []];
  server = new Server();
  const { watchJobSet } = JobStatusServiceService;
  server.addService({ watchJobSet }, { watchJobSet: (call: Watch) => watches.push(call) });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  board = new JobBoard(`127.0.0.1:${port}`, [KEY], (move) => moves.push(move), 1);
  board.start();
});
afterEach(() => {
  board.stop();
  server.forceShutdown();
});

const nth = (n: number): Promise<Watch> => eventually(`watch ${n}`, () => watches[n - 1]);
const gives = (watch: Watch, jobId: string, state: JobState, resumeToken: string): void => {
  const terminal = state >= JobState.JOB_STATE_SUCCEEDED;
  const job: Job = { ...Job.decode(Buffer.alloc(0)), ref: { queue: '', jobSet: '', jobId }, state, terminal };
  watch.write({ event: { $case: 'job', value: job }, resumeToken });
};
const ends = (watch: Watch, code: status): void => {
  watch.emit('error', { code, details: '', metadata: new Metadata() });
};

it('shows each job as WatchJobSet gives it', async () => {
  const watch = await nth(1);
  expect(watch.request).toMatchObject({ queue: 'demo', jobSet: 's', resumeToken: '' });
  gives(watch, 'j', JobState.JOB_STATE_RUNNING, '1');
  gives(watch, 'k', JobState.JOB_STATE_RUNNING, '2');
  gives(watch, 'k', JobState.JOB_STATE_FAILED, '3');
  await eventually('they came', () => moves.length === 3);
  expect(moves).toMatchObject([
    { jobId: 'j', from: 'new', to: 'RUNNING' },
    { jobId: 'k', from: 'new', to: 'RUNNING' },
    { jobId: 'k', from: 'RUNNING', to: 'FAILED' },
  ]);
  expect(board.anyJob).toEqual({ key: KEY, jobId: 'j' });
  expect(board.progress()).toEqual([
    {
      key: KEY,
      jobs: 2,
      ended: 1,
      counts: new Map([
        ['RUNNING', 1],
        ['FAILED', 1],
      ]),
    },
  ]);
});

it('goes on behind the last token when a stream has ended, and anew when the token is too old', async () => {
  const first = await nth(1);
  gives(first, 'j', JobState.JOB_STATE_RUNNING, 'token');
  await eventually('it came', () => moves.length === 1);
  ends(first, status.UNAVAILABLE);
  const second = await nth(2);
  expect(second.request.resumeToken).toBe('token');
  ends(second, status.OUT_OF_RANGE);
  const third = await nth(3);
  expect(third.request.resumeToken).toBe('');
  gives(third, 'j', JobState.JOB_STATE_RUNNING, 'other');
  gives(third, 'j', JobState.JOB_STATE_SUCCEEDED, 'another');
  await eventually('it has ended', () => moves.length > 1);
  expect(moves.slice(1)).toMatchObject([{ jobId: 'j', from: 'RUNNING', to: 'SUCCEEDED' }]);
  third.end();
  expect((await nth(4)).request.resumeToken).toBe('another');
});
