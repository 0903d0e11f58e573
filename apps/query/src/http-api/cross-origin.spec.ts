import type { JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { V2Harness } from '../v2/testing/v2-harness.js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

const PAGE = 'https://dashboard.example';
const LOCAL = 'http://localhost:3000';
const EVENTS = '/v2/queues/q/job-sets/s/events';
const PREFLIGHT = {
  'Access-Control-Request-Method': 'GET',
  'Access-Control-Request-Headers': 'authorization',
};

let harness: V2Harness;
let served: ServedJobs;
const authenticate: JobsServiceOptions['access']['authenticate'] = ({ authorization }) =>
  authorization.length > 0
    ? undefined
    : Promise.reject(new RpcError(status.UNAUTHENTICATED, 'credentials are required'));

async function serve(origins: string): Promise<void> {
  harness = new V2Harness();
  const { api: v2, jobs, jobSets } = harness;
  const env = { QUERY_CORS_ORIGINS: origins };
  served = await ServedJobs.start(new JobsInMemory(), { authenticate, env, v2, watchers: { jobs, jobSets } });
}

beforeAll(() => serve(`${PAGE}, ${LOCAL}`));
afterAll(async () => {
  harness.close();
  await served.close();
});

/** The headers of a response that let pages read it. */
const grants = ({ headers }: Response): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

describe('a page of an allowed origin', () => {
  it.each([PAGE, LOCAL])('may read responses and their ETag: %s', async (origin) => {
    const headers = { Origin: origin, Authorization: 'Basic YTpi' };
    const response = await served.fetch('/v2/queues/q/job-sets/s/jobs/j', { headers });
    expect(response.status).toBe(200);
    expect(grants(response)).toEqual({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'ETag',
    });
    expect(response.headers.get('vary')).toBe('Origin');
  });

  it.each([
    ['/v2/job-sets', 'GET', 401],
    [EVENTS, 'GET', 401],
    ['/v1/job/status', 'POST', 401],
    ['/v2/jobs:batchGet', 'GET', 405],
    ['/v1/job/status', 'PUT', 405],
  ])('may read errors: of %s by %s', async (path, method, httpStatus) => {
    const response = await served.fetch(path, { method, headers: { Origin: PAGE } });
    expect(response.status).toBe(httpStatus);
    expect(grants(response)).toMatchObject({ 'access-control-allow-origin': PAGE });
  });

  it.each([
    ['/v2/job-sets', 'GET'],
    ['/v2/queues/q/job-sets/a%2Fb/jobs/j?wait=10m', 'GET'],
    [EVENTS, 'GET'],
    ['/v2/jobs:wait', 'POST'],
    ['/v1/job/status', 'POST'],
  ])('learns without credentials how it may call %s', async (path, methods) => {
    const response = await served.fetch(path, { method: 'OPTIONS', headers: { Origin: PAGE, ...PREFLIGHT } });
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(response.headers.get('vary')).toBe('Origin');
    const allowed = response.headers.get('access-control-allow-headers')?.split(', ');
    expect(allowed).toEqual(expect.arrayContaining(['Authorization', 'Last-Event-ID', 'Grpc-Timeout']));
    expect(grants(response)).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-methods': methods,
      'access-control-max-age': '600',
    });
  });

  it('never has the browser send credentials of its own', async () => {
    for (const method of ['GET', 'OPTIONS']) {
      const response = await served.fetch(EVENTS, { method, headers: { Origin: PAGE, ...PREFLIGHT } });
      expect(grants(response)).not.toHaveProperty('access-control-allow-credentials');
    }
  });

  it.each(['/v2/nowhere', '/v2', '/v1', '/openapi.json', '/docs', '/'])(
    'learns nothing of %s, which is no path of the API',
    async (path) => {
      for (const method of ['GET', 'OPTIONS']) {
        const response = await served.fetch(path, { method, headers: { Origin: PAGE, ...PREFLIGHT } });
        expect(response.status).not.toBe(204);
        expect(grants(response)).toEqual({});
      }
    },
  );
});

describe('a page of another origin', () => {
  it.each([
    'https://evil.example',
    'http://dashboard.example',
    'https://dashboard.example.evil.example',
    'https://evil-dashboard.example',
    'https://evil.dashboard.example',
    'https://dashboard.example:8443',
    'https://dashboard.example:443',
    'https://dashboard.example/',
    'https://dashboard.example/page',
    'https://dashboard.example@evil.example',
    'https://dashboard.example, https://evil.example',
    'https://dashboard.example https://evil.example',
    'https://DASHBOARD.example',
    'http://localhost',
    'http://localhost:30000',
    'null',
    '*',
    '',
  ])('may read nothing, and gets an error that says so: %j', async (origin) => {
    const headers = { Origin: origin, Authorization: 'Basic YTpi' };
    const response = await served.fetch('/v2/job-sets', { headers });
    expect([response.status, grants(response), response.headers.get('vary')]).toEqual([200, {}, 'Origin']);
    const preflight = await served.fetch(EVENTS, {
      method: 'OPTIONS',
      headers: { ...headers, ...PREFLIGHT },
    });
    expect([preflight.status, grants(preflight), preflight.headers.get('vary')]).toEqual([403, {}, 'Origin']);
    expect(await preflight.json()).toMatchObject({
      code: 'PERMISSION_DENIED',
      detail: expect.stringContaining('QUERY_CORS_ORIGINS') as string,
    });
  });
});

it.each([
  ['no page', {}],
  ['a page that does not say what it would call', { Origin: PAGE }],
])('OPTIONS of %s is answered as any other method', async (_, headers) => {
  const response = await served.fetch(EVENTS, { method: 'OPTIONS', headers });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

it('without QUERY_CORS_ORIGINS no page may read, and responses say nothing of origins', async () => {
  harness.close();
  await served.close();
  await serve('');
  for (const [method, httpStatus] of [
    ['GET', 401],
    ['OPTIONS', 405],
  ] as const) {
    const response = await served.fetch('/v2/job-sets', { method, headers: { Origin: PAGE, ...PREFLIGHT } });
    expect([response.status, grants(response), response.headers.get('vary')]).toEqual([httpStatus, {}, null]);
  }
});
