import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { eventually, heapUsed } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import type { SendEvents } from '../changes/job-set-stream.js';
import { Admission } from '../load/admission.js';
import { MessageBudget } from '../load/message-budget.js';
import type { V2Watchers } from '../v2/v2-streams.js';
import { AllowedHosts } from './allowed-hosts.js';
import { CrossOrigin } from './cross-origin.js';
import { HttpCalls, type HttpExchange, type HttpRequest } from './http-calls.js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

const PATH = '/v1/job/errors';
/** More than the system keeps of a response that nobody reads. */
const HUGE = 16 * 1024 * 1024;

const jobs = new JobsInMemory();
jobs.add({ jobId: 'huge', error: 'x'.repeat(HUGE) });

it('a call takes no place among those that are processed while its credentials are checked, or its body comes', async () => {
  const admission = new Admission({ working: 1, waiting: 10 }, () => undefined);
  let accept = (): void => undefined;
  const served = await ServedJobs.start(jobs, {
    admission,
    authenticate: ({ authorization }) =>
      authorization.length === 0 ? undefined : new Promise<void>((resolve) => (accept = resolve)),
  });
  const checked = served.post(PATH, {}, { Authorization: 'Basic YTpi' });
  const coming = httpRequest({ port: served.port, method: 'POST', path: PATH });
  coming.write('{');
  await eventually('both wait', () => admission.waitingNow === 2);
  expect((await served.post(PATH, {})).status).toBe(200);
  accept();
  expect((await checked).status).toBe(200);
  coming.end('}');
  const [response] = (await once(coming, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  response.resume();
  await served.close();
});

it('a process that stops has its responses read to their end before it closes their connections', async () => {
  const served = await ServedJobs.start(jobs);
  const request = httpRequest({ port: served.port, method: 'POST', path: PATH }).end('{"jobIds":["huge"]}');
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const stopped = served.close();
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
  expect(bytes).toBeGreaterThan(HUGE);
  await stopped;
});

it('a call that itself sends its response has it rejected with 429 where its caller may not have so much waiting', async () => {
  const watch = async (
    _key: unknown,
    _token: unknown,
    _caller: unknown,
    send: SendEvents,
  ): Promise<never> => {
    await send([{ kind: 'snapshot-end', token: 'x'.repeat(HUGE) }]);
    return new Promise(() => undefined);
  };
  const served = await ServedJobs.start(jobs, {
    env: { MAX_BUFFERED_BYTES: String(HUGE) },
    watchers: { jobSets: { watch } } as unknown as V2Watchers,
  });
  const response = await served.fetch('/v2/queues/q/job-sets/s/events');
  expect(response.status).toBe(429);
  expect(await response.json()).toMatchObject({
    detail: expect.stringContaining('message memory used up') as string,
  });
  await served.close();
});

it('a call leaves nothing in memory once its response has been read', async () => {
  const calls = new HttpCalls({
    access: { keyOf: () => 'a caller', authenticate: () => undefined },
    admission: new Admission({ working: 10, waiting: 10 }, () => undefined),
    budget: new MessageBudget(HUGE, () => undefined),
    hosts: new AllowedHosts(['*']),
    crossOrigin: new CrossOrigin([]),
  });
  let answered = 0;
  const exchange: HttpExchange = {
    reply: () => Promise.resolve({ mediaType: 'text/plain', bytes: Buffer.alloc(1) }),
    fail: () => status.INTERNAL,
    answered: (code) => (answered += code === status.OK ? 1 : 0),
  };
  const request = { headers: {}, headersDistinct: {}, socket: {} } as unknown as HttpRequest;
  /** A response that is read as it is written. */
  const call = (): Promise<void> => {
    const read = new Writable({ write: (_chunk, _encoding, written) => written() });
    return calls.answer(
      exchange,
      request,
      Object.assign(read, { writeHead: () => read }) as unknown as ServerResponse,
    );
  };
  await call();
  const before = heapUsed();
  for (let n = 0; n < 20_000; n++) await call();
  expect(heapUsed() - before).toBeLessThan(3 * 1024 * 1024);
  expect(answered).toBe(20_001);
});

it('a body that is too large by its Content-Length is rejected before it comes', async () => {
  const served = await ServedJobs.start(jobs);
  const headers = { 'Content-Length': HUGE };
  const request = httpRequest({ port: served.port, method: 'POST', path: PATH, headers });
  request.on('error', () => undefined);
  let statusCode: number | undefined;
  request.on('response', (response) => {
    ({ statusCode } = response.resume());
  });
  request.flushHeaders();
  expect(await eventually('it is answered', () => statusCode, 5_000)).toBe(413);
  request.destroy();
  await served.close();
});
