import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { JobSetKey } from '@ajs/job-state';
import { jobEvents, armadaJob, unary } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { Stack, poll, pollCalmly } from './stack.js';

/** Names that collide when they are joined carelessly, and names that break out of a key, a log line or a metric. */
const KEYS: readonly JobSetKey[] = [
  { queue: 'a/b', jobSetId: 'c' },
  { queue: 'a', jobSetId: 'b/c' },
  { queue: 'a%2Fb', jobSetId: 'c' },
  { queue: 'q', jobSetId: '{}' },
  { queue: 'q', jobSetId: '{' },
  { queue: 'q', jobSetId: '}:meta' },
  { queue: 'ajs:{q/s}', jobSetId: 'meta' },
  { queue: 'two\nlines', jobSetId: '{"level":"error","msg":"made up"}' },
  { queue: 'two', jobSetId: '\nlines{"level":"error"}' },
  { queue: '\u0000\u0007\u001b[2J', jobSetId: '\u2028\u2029\u202e' },
  { queue: 'metric{a="b"} 1\n', jobSetId: '# HELP x\n' },
  { queue: '__proto__', jobSetId: 'constructor' },
  { queue: 'q\u0301', jobSetId: '\ud83d\ude80' },
  { queue: '\u00e9', jobSetId: 'e\u0301' },
  { queue: 'q'.repeat(1_024), jobSetId: '\u{10ffff}'.repeat(256) },
];
const jobIdOf = (i: number): string => `01m85vnck01jqpr3vd${String(i).padStart(8, '0')}`;

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({ LOG_LEVEL: 'trace' });
  for (const [i, key] of KEYS.entries()) {
    const job = armadaJob({ jobId: jobIdOf(i), ...key });
    stack.armada.state.move(
      job,
      JobState.QUEUED,
      jobEvents.submitted(job, { namespace: 'ns', annotations: {} }),
    );
  }
}, 180_000);

afterAll(() => stack.stop());

it('names of any content find their own job set, break no log line, and appear in no metric', async () => {
  const apps = [await stack.ingester()];
  const { app, client, http } = await stack.query();
  apps.push(app);
  for (const [i, key] of KEYS.entries()) {
    expect([key, (await pollCalmly(client, key, jobIdOf(i))).state]).toEqual([key, 'SUBMITTED']);
  }
  for (const [i, key] of KEYS.entries()) {
    const others = jobIdOf((i + 1) % KEYS.length);
    expect([key, (await pollCalmly(client, key, others)).state]).toEqual([key, 'JOB_ID_NOT_FOUND']);
  }
  const jobIds = KEYS.map((_, i) => jobIdOf(i));
  const states = Object.fromEntries(jobIds.map((jobId) => [jobId, JobState.QUEUED]));
  expect((await unary(client, JobsService.getJobStatus, { jobIds })).answer.jobStates).toEqual(states);
  const body = JSON.stringify({ jobIds: [...jobIds] });
  const answer = await fetch(`${http}/v1/job/status`, { method: 'POST', body });
  expect(await answer.json()).toEqual({ jobStates: states });

  for (const each of apps) {
    // A line that is not a JSON object would be there.
    expect(each.output).toBe('');
    expect(each.logs.filter(({ msg }) => msg === 'made up')).toEqual([]);
    const { http: address } = await each.logged('health and metrics are served');
    const metrics = await (await fetch(`http://${String(address)}/metrics`)).text();
    for (const line of metrics.split('\n')) expect(line).toMatch(/^(#.*|[a-z0-9_]+(\{.*\})? [^ ]+|)$/);
    for (const name of KEYS.flatMap(({ queue, jobSetId }) => [queue, jobSetId]).filter(
      ({ length }) => length > 3,
    )) {
      expect(metrics).not.toContain(name);
    }
  }
}, 120_000);

it.each([
  ['longer than 1024 bytes', { queue: 'q', jobSetId: '\u00e9'.repeat(513) }],
  ['empty', { queue: '', jobSetId: 's' }],
])('a name that is %s is refused by every API', async (problem, key) => {
  const { client, http } = await stack.query();
  const refused = { code: status.INVALID_ARGUMENT, details: expect.stringContaining(problem) as string };
  await expect(poll(client, key, jobIdOf(0))).rejects.toMatchObject(refused);
  const request = { queue: key.queue, jobset: key.jobSetId, externalJobUri: 'u' };
  await expect(unary(client, JobsService.getJobStatusUsingExternalJobUri, request)).rejects.toMatchObject(
    refused,
  );
  const answer = await fetch(`${http}/v1/job/statusUsingExternalJobUri`, {
    method: 'POST',
    body: JSON.stringify(request),
  });
  expect(answer.status).toBe(400);
});

it('a name by HTTP that is not Unicode is rejected, not confused with another such name', async () => {
  const { http } = await stack.query();
  const answer = await fetch(`${http}/v1/job/status`, { method: 'POST', body: '{"jobIds":["\\ud800"]}' });
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('list item #1')]);
});
