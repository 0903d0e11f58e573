import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { eventually } from '@ajs/testing';
import type { SendEvents } from '../changes/job-set-stream.js';
import { Admission } from '../load/admission.js';
import type { V2Watchers } from '../v2/v2-streams.js';
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
