import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

const MEBIBYTE = 1024 * 1024;
/** More than the system keeps of a response that nobody reads. */
const HUGE = 16 * MEBIBYTE;
const SHARE_USED_UP = {
  code: status.RESOURCE_EXHAUSTED,
  message: expect.stringContaining('share of message memory used up') as string,
};

const jobs = new JobsInMemory();
jobs.add({ jobId: 'huge', error: 'x'.repeat(HUGE) });
jobs.add({ jobId: 'small', error: 'exit code 1' });

let served: ServedJobs;
const opened: ClientRequest[] = [];

const serve = async (maxBufferedBytes: number): Promise<void> => {
  served = await ServedJobs.start(jobs, { env: { MAX_BUFFERED_BYTES: String(maxBufferedBytes) } });
};

afterEach(async () => {
  for (const request of opened.splice(0)) request.destroy();
  await served.close();
});

/** A request for errors on a connection of its own, without a body as yet. An address is a caller. */
function open(localAddress: string): ClientRequest {
  const options = { localAddress, port: served.port, method: 'POST', path: '/v1/job/errors', agent: false };
  const request = httpRequest({ host: '127.0.0.1', ...options });
  request.on('error', () => undefined);
  opened.push(request);
  return request;
}

async function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

async function jsonOf(response: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return JSON.parse(text);
}

async function neighbourIsServed(): Promise<void> {
  const response = await responseTo(open('127.0.0.2').end('{"jobIds":["small"]}'));
  expect(await jsonOf(response)).toEqual({ jobErrors: { small: 'exit code 1' } });
}

describe('one caller', () => {
  it('that reads no response has its further calls rejected with 429 until it reads, and others are served', async () => {
    await serve(4 * HUGE);
    const ask = (): Promise<IncomingMessage> => responseTo(open('127.0.0.1').end('{"jobIds":["huge"]}'));
    const unread = [await ask(), await ask()];
    expect(unread.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    const rejected = await ask();
    expect(rejected.statusCode).toBe(429);
    expect(await jsonOf(rejected)).toMatchObject(SHARE_USED_UP);
    await neighbourIsServed();
    // Asking again meanwhile would hold up the reading: each response is 16 MiB.
    await Promise.all(unread.map((response) => once(response.resume(), 'end')));
    await eventually('it is answered again', async () => {
      const response = await ask();
      response.resume();
      return response.statusCode === 200;
    });
  });

  it('that leaves its bodies unfinished has what it sends rejected with 429, and others are served', async () => {
    await serve(16 * MEBIBYTE);
    const part = ' '.repeat(100 * 1024);
    const responses: Promise<IncomingMessage>[] = [];
    for (let i = 0; i < 150; i++) {
      const request = open('127.0.0.1').setHeader('Grpc-Timeout', '10S');
      responses.push(responseTo(request));
      request.write(part);
    }
    const first = await Promise.race(responses);
    expect(first.statusCode).toBe(429);
    expect(await jsonOf(first)).toMatchObject(SHARE_USED_UP);
    await neighbourIsServed();
    for (const request of opened) request.destroy();
    await eventually('it is answered again', async () => {
      const response = await responseTo(open('127.0.0.1').end(`{"jobIds":[]}${part}`));
      response.resume();
      return response.statusCode === 200;
    });
  });
});
