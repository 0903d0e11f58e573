import { msBetween } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { JobRunState } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import type { JobsApi } from '../jobs-api/jobs-api.js';
import { INTERNAL_ERROR_TEXT, RpcError } from '../rpc-error.js';
import { DEFAULT_TIMEOUT_MS, maxBodyBytes } from './http-request.js';
import { JOBS_ROUTES } from './jobs-routes.js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

const PROTO3 = { Accept: 'application/json;profile=proto3' };

const jobs = new JobsInMemory();
jobs.add({
  jobId: 'failed',
  queue: 'q',
  jobset: 's',
  state: JobState.FAILED,
  submittedTs: { seconds: '1785500000', nanos: 500_000_000 },
  externalJobUri: 'airflow://1',
  error: 'exit code <1>',
  jobRuns: [
    {
      runId: 'r1',
      jobId: 'failed',
      state: JobRunState.RUN_STATE_FAILED,
      cluster: 'c',
      node: '',
      leasedTs: undefined,
      pendingTs: undefined,
      startedTs: undefined,
      finishedTs: { seconds: '1785500009', nanos: 0 },
      ingressAddresses: {},
    },
  ],
});
jobs.add({ jobId: 'queued', queue: 'q', jobset: 's' });

let served: ServedJobs;
const fromMemory = jobs.getJobStatus;
/** Serves `GetJobStatus`: from memory, unless a test replaces it. */
let getJobStatus: JobsApi['getJobStatus'];
jobs.getJobStatus = (request, caller) => getJobStatus(request, caller);

beforeAll(async () => {
  served = await ServedJobs.start(jobs);
});

beforeEach(() => {
  getJobStatus = fromMemory;
});

afterAll(() => served.close());

describe('responses', () => {
  const STATUS = { jobIds: ['failed', 'queued', 'nobody'] };
  const URI = { queue: 'q', jobset: 's', externalJobUri: 'airflow://1' };
  const DETAILS = { jobIds: ['failed', 'nobody'], expandJobRun: true };

  it.each<[string, unknown, unknown]>([
    ['/v1/job/status', STATUS, { jobStates: { failed: 4, queued: 0, nobody: 5 } }],
    ['/v1/job/statusUsingExternalJobUri', URI, { jobStates: { failed: 4 } }],
    ['/v1/job/statusUsingExternalJobUri', { ...URI, queue: 'other' }, {}],
    [
      '/v1/job/details',
      DETAILS,
      {
        jobDetails: {
          failed: {
            jobId: 'failed',
            queue: 'q',
            jobset: 's',
            state: 4,
            submittedTs: { seconds: 1785500000, nanos: 500000000 },
            jobRuns: [
              { runId: 'r1', jobId: 'failed', state: 5, cluster: 'c', finishedTs: { seconds: 1785500009 } },
            ],
          },
        },
      },
    ],
    ['/v1/job/errors', STATUS, { jobErrors: { failed: 'exit code <1>', queued: '' } }],
    [
      '/v1/run/details',
      { runIds: ['r1'] },
      {
        jobRunDetails: {
          r1: { runId: 'r1', jobId: 'failed', state: 5, cluster: 'c', finishedTs: { seconds: 1785500009 } },
        },
      },
    ],
    ['/v1/queues/active', {}, { activeQueuesByPool: { default: { queues: ['q'] } } }],
  ])('of %s are those of Armada’s gateway', async (path, body, answer) => {
    const response = await served.post(path, body);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toEqual(answer);
  });

  it.each([
    'application/json;profile=proto3',
    'application/json; profile="proto3"',
    'application/json; charset=utf-8; profile=proto3',
    'text/html, application/json;q=0.5, application/json;profile=proto3;q=0.9',
  ])('are proto3 JSON for Accept: %s', async (accept) => {
    const response = await served.post('/v1/job/details', DETAILS, { Accept: accept });
    expect(response.headers.get('content-type')).toBe('application/json;profile=proto3');
    expect(await response.json()).toMatchObject({
      jobDetails: { failed: { state: 'FAILED', submittedTs: '2026-07-31T12:13:20.500Z' } },
    });
  });

  it.each([
    '*/*',
    'text/html',
    'application/json',
    'application/json;profile=other',
    'application/json, application/json;profile=proto3;q=0.1',
  ])('have Armada’s form for Accept: %s', async (accept) => {
    const response = await served.post('/v1/job/status', STATUS, { Accept: accept });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({ jobStates: { failed: 4 } });
  });

  it('can contain a thousand jobs', async () => {
    const jobIds = Array.from({ length: 1000 }, (_, i) => `job${i}`);
    const response = await served.post('/v1/job/status', { jobIds });
    const { jobStates } = (await response.json()) as { jobStates: object };
    expect(Object.keys(jobStates)).toEqual(jobIds);
  });
});

describe('requests', () => {
  it('may be empty', async () => {
    for (const body of ['', ' ', 'null', '{}']) {
      const response = await served.post('/v1/job/status', body);
      expect([response.status, await response.json()]).toEqual([200, {}]);
    }
  });

  it('are read as JSON whatever their content type is', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/grpc']) {
      const response = await served.post('/v1/job/status', { job_ids: ['failed'] }, { 'Content-Type': type });
      expect(await response.json()).toEqual({ jobStates: { failed: 4 } });
    }
  });

  it.each([
    ['{"jobIds":', /^the request body is not JSON: /],
    ['{"jobIds":["a"]} more', /^the request body is not JSON: /],
    [{ jobIds: 'failed' }, /JobStatusRequest\.job_ids/],
    [[], /JobStatusRequest/],
  ])('that are invalid are rejected with 400 and name the place (%j)', async (body, message) => {
    const response = await served.post('/v1/job/status', body, PROTO3);
    expect(response.status).toBe(400);
    const text = expect.stringMatching(message) as string;
    expect(await response.json()).toEqual({ error: text, code: status.INVALID_ARGUMENT, message: text });
  });

  it('are not quoted in full by their error', async () => {
    const response = await served.post('/v1/job/status', { jobIds: 'x'.repeat(100_000) });
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeLessThan(2_000);
  });

  it('may have the bytes of the largest valid one with white space, and are rejected with 413 beyond it', async () => {
    const padded = (bytes: number) => `{"jobIds":["failed"]}${' '.repeat(bytes - 21)}`;
    const max = maxBodyBytes(1_000);
    const most = await served.post('/v1/job/status', padded(max));
    expect(await most.json()).toEqual({ jobStates: { failed: 4 } });
    const more = await served.post('/v1/job/status', padded(max + 1));
    expect(more.status).toBe(413);
    expect(await more.json()).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      message: `the request body exceeds ${max} bytes; request fewer ids per call`,
    });
  });

  it('may have the most ids that a call may have, and as long ones as there are', async () => {
    const jobIds = Array.from({ length: 1_000 }, (_, i) => String(i).padEnd(63, 'x'));
    const response = await served.post('/v1/job/status', JSON.stringify({ jobIds }, undefined, 8));
    expect(response.status).toBe(200);
  });

  it('that are too large are rejected before they have arrived, on a connection that stays in use', async () => {
    const socket = connect(served.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    const head = 'POST /v1/job/status HTTP/1.1\r\nHost: localhost\r\n';
    const size = maxBodyBytes(1_000) + 1;
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${' '.repeat(size)}\r\n`);
    await eventually('it is rejected', () => received.startsWith('HTTP/1.1 413'));
    received = '';
    socket.write(`100000\r\n${' '.repeat(0x100000)}\r\n0\r\n\r\n${head}Content-Length: 2\r\n\r\n{}`);
    await eventually('the next one is answered', () => received.includes('HTTP/1.1 200'));
    socket.destroy();
  });

  it('that are compressed are rejected with 415', async () => {
    const response = await served.post('/v1/job/status', '{}', { 'Content-Encoding': 'gzip' });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      message: expect.stringContaining('uncompressed') as string,
    });
  });

  it('are rejected before they are parsed where they hold more values than a valid one', async () => {
    for (const many of [
      `{"jobIds":[${Array.from({ length: 2_000 }, () => '"a"').join()}]}`,
      `{${Array.from({ length: 2_000 }, (_, i) => `"${i}":0`).join()}}`,
      `[${'[],'.repeat(2_000)}[]]`,
    ]) {
      const response = await served.post('/v1/job/status', many);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        message: expect.stringContaining('more than 1100 values') as string,
      });
    }
  });

  it('of callers that are not authenticated are rejected before a byte of the body', async () => {
    const refusing = await ServedJobs.start(jobs, {
      authenticate: () => Promise.reject(new RpcError(status.UNAUTHENTICATED, 'who is it?')),
    });
    const request = httpRequest({ port: refusing.port, method: 'POST', path: '/v1/job/status' });
    request.setHeader('Content-Length', 10);
    request.flushHeaders();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(401);
    request.destroy();
    await refusing.close();
  });

  it.each([
    ['anonymous', 421],
    ['delegated', 200],
  ])(
    'by any other name get, with AUTH_MODE=%s, %i: a web page may have rebound its own',
    async (mode, code) => {
      const other = await ServedJobs.start(jobs, { env: { AUTH_MODE: mode } });
      const request = httpRequest({ port: other.port, method: 'POST', path: '/v1/job/status' });
      request.setHeader('Host', 'rebound.example');
      request.end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect(response.statusCode).toBe(code);
      response.resume();
      await other.close();
    },
  );

  it.each(JOBS_ROUTES.map(({ path }) => path))('of %s must be POST; other methods get 405', async (path) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await served.fetch(path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
      const error = `method ${method} is not allowed; use POST`;
      expect(await response.json()).toEqual({ error, code: status.UNIMPLEMENTED, message: error });
    }
  });
});

describe('other paths', () => {
  it.each(['/v1', '/v1/job', '/v3/jobs', '/nowhere', '/docs/nothing', '/docs/%zz', '/openapi.json/x'])(
    'of which %s is one are 404 in the form of all errors',
    async (path) => {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const response = await served.fetch(path, { method });
        expect(response.status).toBe(404);
        expect(response.headers.get('content-type')).toBe('application/json');
        const error = 'this path does not exist';
        expect(await response.json()).toEqual({ error, code: status.NOT_FOUND, message: error });
      }
    },
  );

  it.each(['/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js'])(
    'that are read (%s) must be GET; other methods get 405',
    async (path) => {
      expect((await served.fetch(path)).status).toBe(200);
      expect((await served.fetch(path, { method: 'HEAD' })).status).toBe(200);
      const response = await served.fetch(path, { method: 'POST' });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      const error = 'method POST is not allowed; use GET';
      expect(await response.json()).toEqual({ error, code: status.UNIMPLEMENTED, message: error });
    },
  );
});

describe('errors', () => {
  it.each([
    [status.CANCELLED, 408],
    [status.UNKNOWN, 500],
    [status.INVALID_ARGUMENT, 400],
    [status.DEADLINE_EXCEEDED, 504],
    [status.NOT_FOUND, 404],
    [status.ALREADY_EXISTS, 409],
    [status.PERMISSION_DENIED, 403],
    [status.RESOURCE_EXHAUSTED, 429],
    [status.FAILED_PRECONDITION, 400],
    [status.ABORTED, 409],
    [status.OUT_OF_RANGE, 400],
    [status.UNIMPLEMENTED, 501],
    [status.INTERNAL, 500],
    [status.UNAVAILABLE, 503],
    [status.DATA_LOSS, 500],
    [status.UNAUTHENTICATED, 401],
  ])('with gRPC code %i have the HTTP status %i, and the text twice', async (code, httpStatus) => {
    getJobStatus = () => Promise.reject(new RpcError(code, 'the reason'));
    const response = await served.post('/v1/job/status', {}, PROTO3);
    expect(response.status).toBe(httpStatus);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toEqual({ error: 'the reason', code, message: 'the reason' });
  });

  it('that are a defect are logged in full and reported without their text', async () => {
    const mistake = new TypeError('an internal detail');
    getJobStatus = () => Promise.reject(mistake);
    const response = await served.post('/v1/job/status', {});
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({
      code: status.INTERNAL,
      message: INTERNAL_ERROR_TEXT,
    });
    expect(served.failures).toEqual([mistake]);
  });

  it('are counted by method and code, as responses are', async () => {
    const before = served.answers.length;
    await served.post('/v1/job/errors', {});
    await served.post('/v1/job/errors', 'no JSON');
    expect(served.answers.slice(before)).toEqual(['getJobErrors OK', 'getJobErrors INVALID_ARGUMENT']);
  });
});

describe('a caller', () => {
  it('gets 504 when its Grpc-Timeout is over', async () => {
    let caller: Caller | undefined;
    getJobStatus = (_request, theCaller) => {
      caller = theCaller;
      return new Promise(() => undefined);
    };
    const response = await served.fetch('/v1/job/status', {
      method: 'POST',
      headers: { 'Grpc-Timeout': '20m' },
      signal: AbortSignal.timeout(30_000),
    });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      message: 'deadline exceeded',
    });
    expect(caller?.isGone()).toBe(true);
  });

  it.each([
    [{}, DEFAULT_TIMEOUT_MS],
    [{ 'Grpc-Timeout': '10S' }, 10_000],
    [{ 'Grpc-Timeout': '2M' }, 120_000],
    [{ 'Grpc-Timeout': '99999999H' }, 99_999_999 * 3_600_000],
  ])('has the deadline that it sets, or 30 s (%j)', async (headers, timeoutMs) => {
    let leftMs = 0;
    getJobStatus = async (_request, { deadline, isGone }) => {
      leftMs = msBetween(monotonicNow(), deadline);
      // Longer than a timer takes that was given too long a time.
      await served.post('/v1/queues/active', {});
      return { jobIds: ['gone'], states: [isGone() ? JobState.FAILED : JobState.RUNNING] };
    };
    const response = await served.post('/v1/job/status', {}, headers);
    expect(await response.json()).toEqual({ jobStates: { gone: JobState.RUNNING } });
    expect(leftMs).toBeLessThanOrEqual(timeoutMs);
    expect(leftMs).toBeGreaterThan(timeoutMs * 0.5);
  });

  it.each(['10', 'S', '10s', '-1S', '123456789S', '1.5S'])(
    'gets 400 for the invalid Grpc-Timeout %s',
    async (timeout) => {
      const response = await served.post('/v1/job/status', {}, { 'Grpc-Timeout': timeout });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        message: expect.stringContaining('grpc-timeout') as string,
      });
    },
  );

  it.each([
    ['none', [], []],
    ['an empty one', [''], ['']],
    ['several', ['Basic YTpi', 'Basic YzpkCg=='], ['Basic YTpi', 'Basic YzpkCg==']],
  ])('shows every authorization that it sends: %s', async (_, sent, shown) => {
    let caller: Caller | undefined;
    getJobStatus = (_request, one) => {
      caller = one;
      return Promise.resolve({ jobIds: [], states: [] });
    };
    const request = httpRequest({ port: served.port, method: 'POST', path: '/v1/job/status' });
    if (sent.length > 0) request.setHeader('authorization', sent);
    request.end('{}');
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject);
    });
    response.resume();
    expect([response.statusCode, caller?.authorization]).toEqual([200, shown]);
  });

  it('that closes its connection counts as gone', async () => {
    let call: { caller: Caller; finish: () => void } | undefined;
    getJobStatus = (_request, caller) =>
      new Promise((resolve) => {
        call = { caller, finish: () => resolve({ jobIds: [], states: [] }) };
      });
    const leave = new AbortController();
    const response = served.fetch('/v1/job/status', { method: 'POST', signal: leave.signal });
    const { caller, finish } = await eventually('the call arrives', () => call);
    expect(caller.isGone()).toBe(false);
    leave.abort();
    await expect(response).rejects.toThrow('aborted');
    await eventually('it counts as gone', () => caller.isGone());
    const before = served.answers.length;
    finish();
    await eventually('the call is counted', () => served.answers.length > before);
    expect(served.answers.at(-1)).toBe('getJobStatus CANCELLED');
  });

  it('that disconnects within its request affects no other', async () => {
    const failures = served.failures.length;
    const request = httpRequest({ port: served.port, method: 'POST', path: '/v1/job/status' });
    const closed = new Promise((resolve) => request.on('error', resolve));
    request.write('{"jobIds":["a"');
    await eventually('it is connected', () => request.socket?.connecting === false);
    request.destroy(new Error('left'));
    await closed;
    expect((await served.post('/v1/job/status', {})).status).toBe(200);
    expect(served.failures).toHaveLength(failures);
  });
});

describe('the HTTP API of a process that stops', () => {
  it('finishes running calls and rejects new ones', async () => {
    const stopping = await ServedJobs.start(jobs);
    let finish: (() => void) | undefined;
    getJobStatus = () =>
      new Promise((resolve) => {
        finish = () => resolve({ jobIds: [], states: [] });
      });
    const running = stopping.post('/v1/job/status', {});
    const finishIt = await eventually('the call arrives', () => finish);
    let hasStopped = false;
    const stopped = stopping.close().then(() => {
      hasStopped = true;
    });
    const rejected = await stopping.post('/v1/job/status', {});
    expect(rejected.status).toBe(503);
    expect(await rejected.json()).toMatchObject({ message: 'this replica is shutting down; retry' });
    expect(hasStopped).toBe(false);
    finishIt();
    await stopped;
    expect((await running).status).toBe(200);
  });
});
