import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { chromiumBinary, eventually, freePort, jobEvents } from '@ajs/testing';
import type * as Playwright from 'playwright-core';
import { jobIdFor } from './job-ids.js';
import { patiently } from './patiently.js';
import { Stack, poll, type RunningQuery } from './stack.js';

// Its ES module imports index.js beside index.mjs, which is one name for Jest's rule of how we import.
const { chromium } = createRequire(import.meta.url)('playwright-core') as typeof Playwright;

const KEY = { queue: 'watched', jobSetId: 'in/a browser' };
const JOB_SET = `/v2/queues/${KEY.queue}/job-sets/${encodeURIComponent(KEY.jobSetId)}`;
const JOB = { namespace: 'n', annotations: {} };
const [A, B, C] = [jobIdFor('a'), jobIdFor('b'), jobIdFor('c')];
/** Chromium is downloaded the first time. */
const INSTALL_MS = 300_000;
/** An EventSource waits for some seconds before it connects again. */
const RECONNECT_MS = 30_000;

/** `readyState` of an EventSource. */
const EVENT_SOURCE = { connecting: 0, closed: 2 };

/** The variables of the page below. */
interface Watching {
  /** `JOB_ID STATE` of each job that came, and `snapshot-end`. */
  readonly seen: string[];
  readonly source: { readonly readyState: number };
}

const PAGE = `<!doctype html>
<title>a page of another origin</title>
<script>
  function watch(url) {
    window.seen = [];
    window.source = new EventSource(url);
    for (const type of ['job', 'snapshot-end'])
      source.addEventListener(type, ({ data }) => {
        const { ref, state } = JSON.parse(data);
        seen.push(type === 'job' ? ref.jobId + ' ' + state.replace('JOB_STATE_', '') : type);
      });
  }
</script>
`;

let stack: Stack;
let query: RunningQuery;
let pages: Server;
let browser: Playwright.Browser;
let page: Playwright.Page;
let origin: string;
let env: Record<string, string>;

beforeAll(async () => {
  const executablePath = await chromiumBinary();
  pages = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(PAGE));
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  // A query that is started again is to be found where it was.
  env = { QUERY_CORS_ORIGINS: origin, QUERY_HTTP_ADDRESS: `127.0.0.1:${await freePort()}` };
  stack = await Stack.start();
  [browser, query] = await Promise.all([
    chromium.launch({ executablePath }),
    stack.query(env),
    stack.ingester(),
  ]);
}, INSTALL_MS);
afterAll(async () => {
  await browser.close();
  pages.close();
  await stack.stop();
});

beforeEach(async () => {
  page = await browser.newPage();
  await page.goto(origin);
});
afterEach(() => page.close());

const log = () => stack.armada.state.openLog(KEY.queue, KEY.jobSetId);
const run = (jobId: string): void => {
  log().append([
    ...jobEvents.submitted({ ...KEY, jobId }, JOB),
    ...jobEvents.running({ ...KEY, jobId }, JOB),
  ]);
};
const succeed = (jobId: string): void => log().append(jobEvents.succeeded({ ...KEY, jobId }));

const watch = (): Promise<unknown> =>
  page.evaluate(`watch(${JSON.stringify(`${query.http}${JOB_SET}/events`)})`);
const readyState = (): Promise<number> =>
  page.evaluate(() => (globalThis as unknown as Watching).source.readyState);
/** But for states that a job had for a moment: whether they are seen depends on what was written together. */
const seen = async (): Promise<string[]> => {
  const all = await page.evaluate(() => (globalThis as unknown as Watching).seen);
  return all.filter((one) => !/ (?:SUBMITTED|QUEUED)$/.test(one));
};
/** Waits until the page has seen so many events, and compares all of them, in any order. */
async function sees(...events: string[]): Promise<void> {
  await eventually(
    `the page has seen ${events.length} events`,
    async () => (await seen()).length >= events.length,
    RECONNECT_MS,
  );
  expect((await seen()).sort()).toEqual(events.sort());
}

it('an EventSource of another origin connects again by itself, and misses nothing and gets nothing twice', async () => {
  run(A);
  await patiently('A is seen to run', async () => (await poll(query.client, KEY, A)).state === 'RUNNING');
  await watch();
  const before = [`${A} RUNNING`, 'snapshot-end'];
  await sees(...before);
  run(B);
  await sees(...before, `${B} RUNNING`);

  await query.app.kill();
  await patiently('it is connecting again', async () => (await readyState()) === EVENT_SOURCE.connecting);
  succeed(A);
  run(C);
  query = await stack.query(env);
  const missed = [`${B} RUNNING`, `${A} SUCCEEDED`, `${C} RUNNING`];
  await sees(...before, ...missed);

  succeed(B);
  await sees(...before, ...missed, `${B} SUCCEEDED`);
}, 120_000);

it('a page of another origin calls with an Authorization of its own, and revalidates by ETag', async () => {
  run(A);
  const url = `${query.http}${JOB_SET}/jobs/${A}`;
  const call = (headers: Record<string, string>): Promise<{ httpStatus: number; etag: string | null }> =>
    page.evaluate(
      async ([address, sent]) => {
        const response = await fetch(address, { headers: sent });
        return { httpStatus: response.status, etag: response.headers.get('etag') };
      },
      [url, headers] as const,
    );
  const Authorization = `Basic ${btoa('somebody:password')}`;
  const first = await call({ Authorization });
  expect(first).toEqual({ httpStatus: 200, etag: expect.stringMatching(/^W\//) as string });
  expect(await call({ Authorization, 'If-None-Match': first.etag ?? '' })).toMatchObject({ httpStatus: 304 });
});

it('a page whose origin is not listed sees nothing', async () => {
  // The same server by its other name is another origin.
  await page.goto(origin.replace('127.0.0.1', 'localhost'));
  await watch();
  await patiently('its EventSource has given up', async () => (await readyState()) === EVENT_SOURCE.closed);
  expect(await seen()).toEqual([]);
  const read = page.evaluate((url) => fetch(url).then(() => 'read'), `${query.http}/v2/job-sets`);
  await expect(read).rejects.toThrow('Failed to fetch');
});

it('/docs shows every path of jobservice.v2', async () => {
  const problems: string[] = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', ({ message }) => problems.push(message));
  await page.goto(`${query.http}/docs`);
  const { paths } = (await (await fetch(`${query.http}/openapi.json`)).json()) as { paths: object };
  const expected = Object.keys(paths).filter((path) => path.startsWith('/v2'));
  expect(expected).toContain('/v2/queues/{queue}/job-sets/{jobSet}/events');
  const shown = (): Promise<string[]> =>
    page.evaluate(
      `Array.from(document.querySelectorAll('.opblock-summary-path'), ({ dataset }) => dataset.path)`,
    );
  await patiently('the paths are shown', async () => (await shown()).length >= expected.length);
  expect(await shown()).toEqual(expect.arrayContaining(expected));
  expect(problems).toEqual([]);
});

it('curl -N prints events as they come', async () => {
  run(A);
  const curl = spawn('curl', ['-sSN', `${query.http}${JOB_SET}/events`]);
  let printed = '';
  for (const stream of [curl.stdout, curl.stderr])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const prints = (text: string): Promise<unknown> =>
    patiently(`it prints ${text}, after ${printed}`, () => printed.includes(text));
  try {
    await prints('event: snapshot-end\n');
    expect(printed).toMatch(/^id: \S+\nevent: job\ndata: \{.*\}\n\n/);
    const fresh = jobIdFor('of curl');
    run(fresh);
    await prints(fresh);
  } finally {
    curl.kill();
  }
});
