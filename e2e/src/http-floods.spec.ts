import { connect } from 'node:net';
import { JobState } from '@ajs/contracts/api/submit';
import { armadaJob, jobEvents } from '@ajs/testing';
import { patiently } from './patiently.js';
import { Stack, pollCalmly, type RunningQuery } from './stack.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';
/** As many as a caller sends in one go. */
const FLOOD_BYTES = 200 * 1024;
const TOO_MANY = 100;

let stack: Stack;
let query: RunningQuery;
let ingester: string;

beforeAll(async () => {
  stack = await Stack.start();
  const job = armadaJob({ jobId: JOB_ID, ...KEY }, {});
  stack.armada.state.move(
    job,
    JobState.QUEUED,
    jobEvents.submitted(job, { namespace: 'ns', annotations: {} }),
  );
  const [running, app] = await Promise.all([stack.query(), stack.ingester()]);
  query = running;
  const { http } = await app.logged('health and metrics are served');
  ingester = `http://${String(http)}`;
  await patiently('the job is known', isAnswered);
}, 180_000);
afterAll(() => stack.stop());

const isAnswered = async (): Promise<boolean> =>
  (await pollCalmly(query.client, KEY, JOB_ID)).state === 'SUBMITTED';

/** Sends pipelined requests for the path. Resolves to how many are answered until the connection is closed, or are too many. */
async function flood(address: string, path: string): Promise<number> {
  const { hostname, port } = new URL(address);
  const request = `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
  const socket = connect(Number(port), hostname);
  let answered = 0;
  socket.on(
    'data',
    (chunk: Buffer) => (answered += chunk.toString('latin1').split('HTTP/1.1 200').length - 1),
  );
  socket.on('error', () => undefined);
  socket.write(request.repeat(FLOOD_BYTES / request.length));
  await patiently('it is over', () => socket.closed || answered >= TOO_MANY);
  socket.destroy();
  return answered;
}

describe('200 KiB of pipelined requests on one connection', () => {
  it.each(['/openapi.json', '/metrics', '/readyz'])(
    'for %s are cut off, and a query answers its other callers meanwhile',
    async (path) => {
      const flooded = flood(query.http, path);
      expect(await isAnswered()).toBe(true);
      expect((await fetch(`${query.http}/healthz`)).status).toBe(200);
      expect(await flooded).toBeLessThan(TOO_MANY);
    },
    180_000,
  );

  it('for /metrics are cut off, and cost an ingester no connection to Redis', async () => {
    const flooded = flood(ingester, '/metrics');
    expect((await fetch(`${ingester}/healthz`)).status).toBe(200);
    expect(await flooded).toBeLessThan(TOO_MANY);
    expect((await fetch(`${ingester}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${ingester}/metrics`)).text()).not.toMatch(/redis_errors_total\{.*\} [1-9]/);
  }, 180_000);
});
