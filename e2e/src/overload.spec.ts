import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { RedisServer, jobEvents, armadaJob, unary } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import { patiently } from './patiently.js';
import { Stack, isRedisTooLate, poll, pollCalmly, type LegacyAnswer, type RunningQuery } from './stack.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';

describe('a query with more calls than MAX_CONCURRENT_CALLS', () => {
  let stack: Stack;
  let query: RunningQuery;

  beforeEach(async () => {
    stack = await Stack.start({
      MAX_CONCURRENT_CALLS: '20',
      MAX_WAITING_CALLS: '30',
      // Calls that wait do so for longer than a test takes.
      FIRST_POLL_WAIT: '120s',
    });
    const job = armadaJob({ jobId: JOB_ID, ...KEY }, {});
    stack.armada.state.move(
      job,
      JobState.QUEUED,
      jobEvents.submitted(job, { namespace: 'ns', annotations: {} }),
    );
    [query] = await Promise.all([stack.query(), stack.ingester()]);
    await patiently(
      'the job is known',
      async () => (await poll(query.client, KEY, JOB_ID)).state === 'SUBMITTED',
    );
  }, 180_000);
  afterEach(() => stack.stop());

  it('sheds calls at once, stays healthy, and recovers', async () => {
    const { client, http } = query;
    const burst = await patiently('a burst while the machine does not stall', async () => {
      const answers = await Promise.all(Array.from({ length: 2_000 }, () => poll(client, KEY, JOB_ID)));
      return !answers.some(isRedisTooLate) && answers;
    });
    const shed = burst.filter(({ state }) => state === 'CONNECTION_ERR');
    expect(shed.length).toBeGreaterThan(0);
    expect(shed.every(({ error }) => error.includes('MAX_CONCURRENT_CALLS'))).toBe(true);
    expect(burst.length - shed.length).toBe(burst.filter(({ state }) => state === 'SUBMITTED').length);
    expect(burst.length - shed.length).toBeGreaterThan(0);

    const request = { jobIds: [JOB_ID] };
    const answers = await Promise.all(
      Array.from({ length: 2_000 }, () =>
        unary(client, JobsService.getJobStatus, request).then(
          () => status.OK,
          (error: unknown) => (error as { code: status }).code,
        ),
      ),
    );
    expect(new Set(answers)).toEqual(new Set([status.OK, status.RESOURCE_EXHAUSTED]));
    for (const path of ['/healthz', '/readyz']) expect((await fetch(http + path)).status).toBe(200);
    expect(await (await fetch(`${http}/metrics`)).text()).toMatch(
      /shed_calls_total\{pool="working_calls",limit="share"\} [1-9]/,
    );
    for (let i = 0; i < 50; i++) expect((await pollCalmly(client, KEY, JOB_ID)).state).toBe('SUBMITTED');
  }, 180_000);

  it('answers others while calls wait, and sheds calls above MAX_WAITING_CALLS', async () => {
    // Whether these jobs exist cannot be decided.
    stack.armada.faults.set({ hang: true });
    let waits = 0;
    const shed: LegacyAnswer[] = [];
    const others: LegacyAnswer[] = [];
    await patiently('a call is shed at the limit of waiting calls', async () => {
      void poll(query.client, { ...KEY, jobSetId: `new-${waits++}` }, 'x').then(
        (answer) => answer.error.includes('MAX_WAITING_CALLS') && shed.push(answer),
        () => undefined,
      );
      // This is answered after that one has begun to wait.
      others.push(await pollCalmly(query.client, KEY, JOB_ID));
      return shed.length > 0;
    });
    // A lone caller gets three quarters of them.
    expect(waits).toBeGreaterThan(22);
    expect(new Set(others.map(({ state }) => state))).toEqual(new Set(['SUBMITTED']));
  }, 180_000);
});

it('a client that polls random job sets fills neither Redis nor the work queue', async () => {
  const server = await RedisServer.start();
  const stack = await Stack.start({ MAX_NEW_JOB_SETS_PER_CALLER: '500', FIRST_POLL_WAIT: '100ms' }, server);
  const redis = new Redis(server.url);
  try {
    const { client, http } = await stack.query();
    let refused = 0;
    for (let from = 0; from < 10_000; from += 500) {
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, i) => poll(client, { queue: 'q', jobSetId: `no-${from + i}` }, 'x')),
      );
      for (const { state, error } of answers) {
        expect(state).toBe('CONNECTION_ERR');
        if (error.includes('MAX_NEW_JOB_SETS_PER_CALLER')) refused++;
      }
    }
    expect(refused).toBeGreaterThan(9_000);
    // A BullMQ job for each of the others (500, and what is allowed meanwhile), the interest in shards, and BullMQ's own keys.
    expect(await redis.dbsize()).toBeLessThan(10_000 - refused + 100);
    await patiently('rejected job sets are counted', async () =>
      /rejected_job_sets_total 9\d{3}/.test(await (await fetch(`${http}/metrics`)).text()),
    );
  } finally {
    redis.disconnect();
    await stack.stop();
  }
}, 120_000);
