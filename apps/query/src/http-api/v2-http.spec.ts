import { ArmadaTime, type JobRecord } from '@ajs/job-state';
import { eventually } from '@ajs/testing';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';
import { V2Harness } from '../v2/testing/v2-harness.js';

/** As the stream shows a job. */
const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1_000),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

describe('jobservice.v2 over HTTP', () => {
  let harness: V2Harness;
  let served: ServedJobs;
  beforeAll(async () => {
    harness = new V2Harness();
    const failure = { reason: 'exit 137', exitCodes: { main: 137 }, exitReasons: { main: 'OOMKilled' } };
    const retried = { ...record('SUCCEEDED'), failure, failedRuns: 2, externalUri: 'airflow://x' };
    await harness.write({ j: record('RUNNING'), k: retried });
    served = await ServedJobs.start(new JobsInMemory(), { v2: harness.api });
  });
  afterAll(() => served.close());

  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    served.fetch(path, { headers });
  const json = async (path: string): Promise<unknown> => (await get(path)).json();
  const problem = async (response: Response): Promise<Problem> => {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const body = (await response.json()) as Problem;
    expect(body.status).toBe(response.status);
    return body;
  };

  it('answers BatchGetJobs with proto3 JSON, by field names of both forms', async () => {
    const refs = [
      { queue: 'q', jobSet: 's', jobId: 'j' },
      { queue: 'q', job_set: 's', job_id: 'k' },
    ];
    const response = await served.post('/v2/jobs:batchGet', { refs, maxAge: '3600s' });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({
      results: [
        { ref: refs[0], job: { state: 'JOB_STATE_RUNNING', stateChangedAt: '1970-01-01T00:00:01Z' } },
        { job: { state: 'JOB_STATE_SUCCEEDED', terminal: true } },
      ],
    });
  });

  it('shows one job, and says 304 to who has it as it is', async () => {
    const path = '/v2/queues/q/job-sets/s/jobs/j';
    const response = await get(path);
    expect(await response.json()).toMatchObject({
      ref: { queue: 'q', jobSet: 's', jobId: 'j' },
      job: { state: 'JOB_STATE_RUNNING' },
      freshness: { state: 'SUBSCRIPTION_STATE_LIVE' },
    });
    expect(response.headers.get('cache-control')).toBe('private, no-cache');
    const etag = response.headers.get('etag') ?? '';
    for (const known of [`"other", ${etag}`, '*']) {
      expect((await get(path, { 'If-None-Match': known })).status).toBe(304);
    }
    // What changes is its freshness alone.
    await harness.write({});
    expect((await get(path, { 'If-None-Match': etag })).status).toBe(304);
    await harness.write({ j: record('PENDING') });
    expect((await get(path, { 'If-None-Match': etag })).status).toBe(200);
    await harness.write({ j: record('RUNNING') });
  });

  it('shows how often a job failed, its external URI, and why its containers ended', async () => {
    expect(await json('/v2/queues/q/job-sets/s/jobs/k')).toMatchObject({
      job: {
        failedRuns: 2,
        externalUri: 'airflow://x',
        failure: { containers: [{ container: 'main', exitCode: 137, reason: 'OOMKilled' }] },
      },
    });
  });

  it('says in the answer that there is no job to show', async () => {
    expect(await json('/v2/queues/q/job-sets/s/jobs/none')).toMatchObject({
      absence: { kind: 'ABSENCE_KIND_NOT_FOUND' },
    });
  });

  it.each(['a/b', 'ünï cödé', '%', '..', '?x=1&y#z'])('takes %j as a name in a path', async (name) => {
    const encoded = name === '..' ? '%2E%2E%20' : encodeURIComponent(name);
    const decoded = name === '..' ? '.. ' : name;
    const jobSet = { queue: decoded, jobSet: decoded };
    expect(await json(`/v2/queues/${encoded}/job-sets/${encoded}`)).toMatchObject({ jobSet });
    expect(await json(`/v2/queues/${encoded}/job-sets/${encoded}/jobs/${encoded}`)).toMatchObject({
      ref: { ...jobSet, jobId: decoded },
    });
  });

  it('lists jobs by state and page', async () => {
    const path = '/v2/queues/q/job-sets/s/jobs';
    const listed = await json(`${path}?state=RUNNING&state=JOB_STATE_FAILED`);
    expect(listed).toMatchObject({ jobs: [{ ref: { jobId: 'j' } }] });
    const first = (await json(`${path}?pageSize=1`)) as { nextPageToken: string };
    const second = await json(`${path}?pageSize=1&pageToken=${encodeURIComponent(first.nextPageToken)}`);
    expect([first, second]).toMatchObject([
      { jobs: [{ ref: { jobId: 'j' } }] },
      { jobs: [{ ref: { jobId: 'k' } }] },
    ]);
    expect(second).not.toHaveProperty('nextPageToken');
  });

  it('shows a job set with its counts, and lists job sets', async () => {
    const jobSet = { queue: 'q', jobSet: 's', followed: true };
    const counts = [
      { state: 'JOB_STATE_RUNNING', count: '1' },
      { state: 'JOB_STATE_SUCCEEDED', count: '1' },
    ];
    expect(await json('/v2/queues/q/job-sets/s')).toMatchObject({
      jobSet: { ...jobSet, counts: expect.arrayContaining(counts) as unknown },
    });
    const expected = expect.arrayContaining([expect.objectContaining(jobSet)]) as unknown;
    harness.interest.push({ queue: 'another', jobSetId: 'x' });
    const ofQueue = await json('/v2/queues/q/job-sets');
    expect(ofQueue).toMatchObject({ jobSets: expected });
    expect(JSON.stringify(ofQueue)).not.toContain('another');
    expect(await json('/v2/job-sets')).toMatchObject({ jobSets: expected });
  });

  it.each([
    ['a body that is no JSON', () => served.post('/v2/jobs:batchGet', '{'), 400, 'INVALID_ARGUMENT'],
    ['no refs', () => served.post('/v2/jobs:batchGet', {}), 400, 'INVALID_ARGUMENT'],
    ['an unknown parameter', () => get('/v2/job-sets?page=1'), 400, 'INVALID_ARGUMENT'],
    ['a wait without a unit', () => get('/v2/queues/q/job-sets/s/jobs/j?wait=30'), 400, 'INVALID_ARGUMENT'],
    ['an unknown state', () => get('/v2/queues/q/job-sets/s/jobs?state=NO'), 400, 'INVALID_ARGUMENT'],
    ['a page size that is no number', () => get('/v2/job-sets?pageSize=-1'), 400, 'INVALID_ARGUMENT'],
    ['a token of another list', () => get('/v2/job-sets?pageToken=abc'), 400, 'INVALID_ARGUMENT'],
  ])('answers %s with problem details', async (_, request, httpStatus, code) => {
    const response = await request();
    expect(response.status).toBe(httpStatus);
    expect(await problem(response)).toMatchObject({ code, type: 'about:blank' });
  });

  it('says of an invalid request what is wrong with it', async () => {
    const detailOf = async (response: Promise<Response>) => (await problem(await response)).detail;
    expect(await detailOf(served.post('/v2/jobs:batchGet', '{'))).toMatch(/^the request body is not JSON: /);
    expect(await detailOf(get('/v2/queues/q/job-sets/s/jobs?state=NO'))).toBe(
      'state "NO" is not a job state',
    );
  });

  it('does not quote an invalid body in full', async () => {
    const response = await served.post('/v2/jobs:batchGet', { refs: 'x'.repeat(100_000) });
    expect((await problem(response)).detail.length).toBeLessThanOrEqual(500);
  });

  it('answers a queue that the caller may not watch with 403', async () => {
    harness.verdictOn = () => 'no';
    const denied = await get('/v2/queues/q/job-sets/s/jobs/j');
    expect(denied.status).toBe(403);
    expect(await problem(denied)).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await json('/v2/job-sets')).toEqual({});
    harness.verdictOn = () => 'yes';
  });

  it.each([
    ['another method', '/v2/jobs:batchGet', 'GET', 405, 'POST', 'UNIMPLEMENTED'],
    ['another method', '/v2/job-sets', 'POST', 405, 'GET, HEAD', 'UNIMPLEMENTED'],
    ['another method', '/v2/queues/q/job-sets/s/events', 'DELETE', 405, 'GET, HEAD', 'UNIMPLEMENTED'],
    ['another method', '/V2/job-sets', 'OPTIONS', 405, 'GET, HEAD', 'UNIMPLEMENTED'],
    ['another path', '/v2/jobs', 'GET', 404, null, 'NOT_FOUND'],
    ['another path', '/v2', 'POST', 404, null, 'NOT_FOUND'],
    ['a name that is no percent-encoding', '/v2/queues/%zz/job-sets', 'GET', 400, null, 'INVALID_ARGUMENT'],
  ])('answers %s (%s by %s) with problem details too', async (_, path, method, httpStatus, allow, code) => {
    const response = await served.fetch(path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([httpStatus, allow]);
    expect(await problem(response)).toMatchObject({ code, reason: 'INVALID_REQUEST' });
  });
});

describe('a job set as server-sent events', () => {
  let harness: V2Harness;
  let served: ServedJobs;
  beforeEach(async () => {
    harness = new V2Harness();
    const { api, jobSets, jobs } = harness;
    served = await ServedJobs.start(new JobsInMemory(), { v2: api, watchers: { jobSets, jobs } });
  });
  afterEach(async () => {
    harness.close();
    await served.close();
  });

  interface Sent {
    readonly id: string;
    readonly event: string;
    readonly data: unknown;
  }
  const PATH = '/v2/queues/q/job-sets/s/events';

  /** The events that come, until there are so many; the stream is left then. */
  async function read(
    count: number,
    headers: Record<string, string> = {},
    meanwhile?: (sent: Sent[]) => unknown,
  ) {
    const leave = new AbortController();
    const response = await served.fetch(PATH, { headers, signal: leave.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const sent: Sent[] = [];
    let text = '';
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const fields = Object.fromEntries(
          part.split('\n').map((line): [string, string] => {
            const [name = '', ...value] = line.split(': ');
            return [name, value.join(': ')];
          }),
        );
        sent.push({
          id: fields['id'] ?? '',
          event: fields['event'] ?? '',
          data: JSON.parse(fields['data'] ?? 'null'),
        });
        await meanwhile?.(sent);
      }
      if (sent.length >= count) break;
    }
    leave.abort();
    return sent;
  }

  it('gives all jobs, then each change, and goes on behind the last event that a client names', async () => {
    await harness.write({ j: record('RUNNING') });
    const sent = await read(3, {}, (so) => so.length === 2 && harness.write({ j: record('SUCCEEDED') }));
    expect(sent).toMatchObject([
      { event: 'job', data: { ref: { jobId: 'j' }, state: 'JOB_STATE_RUNNING' } },
      { event: 'snapshot-end', data: {} },
      { event: 'job', data: { state: 'JOB_STATE_SUCCEEDED', terminal: true } },
    ]);
    await harness.write({ k: record('QUEUED') });
    expect(await read(1, { 'Last-Event-ID': sent[2]?.id ?? '' })).toMatchObject([
      { event: 'job', data: { ref: { jobId: 'k' } } },
    ]);
  });

  it('frees the watch when the client goes', async () => {
    await harness.write({ j: record('RUNNING') });
    await read(2);
    await eventually('it is closed', () => harness.open.watchJobSet === 0);
    await eventually('it is counted', () => served.answers.includes('watchJobSet CANCELLED'));
  });

  it('answers with problem details where the watch cannot begin', async () => {
    await harness.write({ j: record('RUNNING') });
    const stale = await served.fetch(PATH, { headers: { 'Last-Event-ID': 'no token' } });
    expect([stale.status, stale.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    harness.verdictOn = () => 'no';
    expect((await served.fetch(PATH, {})).status).toBe(403);
  });

  it('answers HEAD with its headers, and ends', async () => {
    await harness.write({ j: record('RUNNING') });
    const response = await served.fetch(PATH, { method: 'HEAD', signal: AbortSignal.timeout(30_000) });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    await harness.write({ j: record('SUCCEEDED') });
    await eventually('it is closed', () => harness.open.watchJobSet === 0);
  });

  it('ends at the Grpc-Timeout of its client', async () => {
    await harness.write({ j: record('RUNNING') });
    const response = await served.fetch(PATH, { headers: { 'Grpc-Timeout': '500m' } });
    expect(await response.text()).toMatch(/\n\n: deadline exceeded\n\n$/);
    await eventually('it is closed', () => harness.open.watchJobSet === 0);
    expect(served.answers).toEqual(['watchJobSet DEADLINE_EXCEEDED']);
  });

  it('ends when the process stops, so that clients connect elsewhere', async () => {
    await harness.write({ j: record('RUNNING') });
    const response = await served.fetch(PATH, {});
    harness.streams.stop();
    expect(await response.text()).toMatch(/\n\n: .*shutting down.*\n\n$/);
  });
});
