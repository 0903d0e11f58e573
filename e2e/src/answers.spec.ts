import { jobEvents, allRecordings, RedisClusterServers } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { Stack, poll, pollCalmly, type RunningQuery } from './stack.js';

const KEY = { queue: 'lab-e2e', jobSetId: 'set/{1}:a' };
const JOB = { ...KEY, jobId: '01m85vrgp7whz55kx8f03d6510' };
const LEGACY: Readonly<Record<string, string>> = { PREEMPTED: 'FAILED', REJECTED: 'FAILED' };

let stack: Stack;
let query: RunningQuery;

beforeAll(async () => {
  stack = await Stack.start();
  [query] = await Promise.all([stack.query(), stack.ingester()]);
  stack.armada.state.queues.add(KEY.queue);
}, 120_000);
afterAll(() => stack.stop());

describe('the first poll of a job set', () => {
  it.each(allRecordings())('is answered with the final state of the recording $name', async (recording) => {
    stack.armada.replay(recording);
    for (const [jobId, state] of Object.entries(recording.states)) {
      const answer = await pollCalmly(query.client, recording, jobId);
      expect(answer.state).toBe(LEGACY[state] ?? state);
      if (answer.state === 'FAILED') expect(answer.error).toContain(recording.errors[jobId]);
      else expect(answer.error).toBe('');
    }
  });

  it('is JOB_ID_NOT_FOUND for a job that Armada does not have, proven by a read', async () => {
    const requestedAt = Date.now();
    const answer = await pollCalmly(query.client, { ...KEY, jobSetId: 'empty' }, 'nobody');
    expect(answer).toMatchObject({ state: 'JOB_ID_NOT_FOUND', error: '' });
    expect(answer.trailers.get('armada-job-set-subscription')).toEqual(['live']);
    expect(Date.parse(String(answer.trailers.get('armada-job-set-synced-at')[0]))).toBeGreaterThanOrEqual(
      requestedAt,
    );
  });

  it('finds a job submitted a moment after the job set was empty', async () => {
    const key = { ...KEY, jobSetId: 'fresh' };
    expect((await pollCalmly(query.client, key, JOB.jobId)).state).toBe('JOB_ID_NOT_FOUND');
    stack.armada.state
      .openLog(key.queue, key.jobSetId)
      .append(jobEvents.submitted({ ...JOB, ...key }, { namespace: 'ns', annotations: {} }));
    await patiently(
      'it is found',
      async () => (await poll(query.client, key, JOB.jobId)).state === 'SUBMITTED',
    );
  });

  it('is CONNECTION_ERR with the reason, at once, for a queue that this service may not watch', async () => {
    stack.armada.state.queues.add('secret');
    stack.armada.faults.set({ deniedQueues: ['secret'] });
    const answer = await pollCalmly(query.client, { queue: 'secret', jobSetId: 's' }, 'x');
    stack.armada.faults.set({});
    expect(answer).toMatchObject({
      state: 'CONNECTION_ERR',
      error: expect.stringContaining('PERMISSION_DENIED') as string,
    });
    expect(answer.trailers.get('armada-job-set-subscription')).toEqual(['denied']);
  });

  it('is CONNECTION_ERR with the reason for a queue that Armada does not know yet', async () => {
    // A poll waits for the queue to be created.
    const { client } = await stack.query({ FIRST_POLL_WAIT: '1s' });
    const answer = await patiently('the reason is given', async () => {
      const one = await poll(client, { queue: 'no-such-queue', jobSetId: 's' }, 'x');
      return one.error.includes('does not exist') && one;
    });
    expect(answer.state).toBe('CONNECTION_ERR');
  });

  it('is answered within the caller’s deadline, whatever it waits for', async () => {
    // The answer leaves a moment before the deadline, when the machine may stall: one answer in time is enough. A query that
    // ignored the deadline would be late each time, since the wait itself is longer.
    const answer = await patiently('an answer comes in time', () =>
      poll(query.client, { queue: 'no-such-queue-2', jobSetId: 's' }, 'x', {
        deadline: Date.now() + 1_000,
      }),
    );
    expect(answer.state).toBe('CONNECTION_ERR');
  });
});

describe('a poll of a job that moves', () => {
  it('follows it from state to state, and stays at the first terminal state', async () => {
    const log = stack.armada.state.openLog(JOB.queue, JOB.jobSetId);
    const job = { namespace: 'ns', annotations: {} };
    const isIn = (state: string) =>
      patiently(state, async () => (await poll(query.client, KEY, JOB.jobId)).state === state);
    log.append(jobEvents.submitted(JOB, job));
    await isIn('SUBMITTED');
    log.append([...jobEvents.leased(JOB), ...jobEvents.pending(JOB, job), ...jobEvents.running(JOB, job)]);
    await isIn('RUNNING');
    log.append(jobEvents.failed(JOB, 3, true));
    await isIn('SUBMITTED');
    log.append([
      ...jobEvents.leased(JOB),
      ...jobEvents.running(JOB, job),
      ...jobEvents.failed(JOB, 4, false),
    ]);
    await isIn('FAILED');
    expect((await pollCalmly(query.client, KEY, JOB.jobId)).error).toContain('exit code 4');
    // Later events change nothing.
    log.append(jobEvents.running(JOB, job));
    log.duplicateNewest(5);
    const other = { ...JOB, jobId: '01m85vrgp7whz55kx8f0630nxm' };
    log.append(jobEvents.succeeded(other));
    await patiently(
      'a later event of the job set is answered',
      async () => (await poll(query.client, KEY, other.jobId)).state === 'SUCCEEDED',
    );
    const fresh = await stack.query();
    expect((await pollCalmly(fresh.client, KEY, JOB.jobId)).state).toBe('FAILED');
  });
});

describe('bad requests', () => {
  it.each([
    ['job_id', { ...KEY }, ''],
    ['job_set_id', { ...KEY, jobSetId: '' }, 'x'],
    ['queue', { ...KEY, queue: '' }, 'x'],
    ['job_id', { ...KEY }, 'x'.repeat(64)],
    ['job_set_id', { ...KEY, jobSetId: 'x'.repeat(1_025) }, 'x'],
    ['queue', { ...KEY, queue: 'x'.repeat(2_000) }, 'x'],
  ])('are INVALID_ARGUMENT and say which: %s', async (field, key, jobId) => {
    await expect(poll(query.client, key, jobId)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(new RegExp(`^${field} is `)) as string,
    });
  });

  it('larger than any real one are rejected, and the next one is answered', async () => {
    const huge = 'x'.repeat(2 * 1024 * 1024);
    await expect(poll(query.client, KEY, huge)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect((await pollCalmly(query.client, { ...KEY, jobSetId: 'empty' }, 'nobody')).state).toBe(
      'JOB_ID_NOT_FOUND',
    );
  });
});

describe('over a Redis Cluster', () => {
  it('polls are answered as over a single server', async () => {
    const other = await Stack.start({}, await RedisClusterServers.start());
    try {
      const [{ client }] = await Promise.all([other.query(), other.ingester()]);
      for (const recording of allRecordings()) {
        other.armada.replay(recording);
        for (const [jobId, state] of Object.entries(recording.states)) {
          expect((await pollCalmly(client, recording, jobId)).state).toBe(LEGACY[state] ?? state);
        }
      }
    } finally {
      await other.stop();
    }
  }, 120_000);
});
