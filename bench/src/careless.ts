import { JobId } from '@ajs/job-state';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  JobServiceResponse_State,
  JobServiceService,
  type JobServiceResponse,
} from '@ajs/contracts/jobservice/jobservice';
import { FakeArmada, eventually, jobEvents, unary } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { startApp } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { quantile, thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { peakResidentKib } from './memory.js';
import { startStore } from './store.js';

const AT_ONCE = 500;
const NEIGHBOUR_EVERY_MS = 20;
/** A BullMQ job, the job set's meta, and BullMQ's own keys. */
const TARGET_KEYS = 4;
const TARGET_REDIS_MB = 64;
const TARGET_GROWTH = 1.5;

/**
 * One client polls each of many job sets that do not exist once, with default settings. Another polls a running job; it counts as the
 * same caller, since it has the same address.
 */
export async function benchCareless(quick: boolean): Promise<Figure[]> {
  const polls = quick ? 50_000 : 100_000;
  const store = await startStore();
  const armada = new FakeArmada();
  armada.state.queues.add(QUEUE);
  const known = { ...jobSetOf(0), jobId: jobIdOf(0) };
  const job = { namespace: 'default', annotations: {} };
  armada.state.openLog(QUEUE, known.jobSetId).append(jobEvents.running(known, job));
  const env = { REDIS_URL: store.server.url, ARMADA_URL: await armada.listen('127.0.0.1:0') };
  const [query, ingester] = await Promise.all([startApp('query', env), startApp('ingester', env)]);
  // Channels with the same options would share a connection.
  const clientOf = (userAgent: string): Client =>
    new Client(`127.0.0.1:${Number(query.started['grpcPort'])}`, credentials.createInsecure(), {
      'grpc.primary_user_agent': userAgent,
    });
  const [careless, neighbour] = [clientOf('careless'), clientOf('neighbour')];
  const poll = async (client: Client, request: typeof known): Promise<JobServiceResponse> =>
    (await unary(client, JobServiceService.getJobStatus, request)).answer;
  try {
    await eventually(
      'the known job runs',
      async () => (await poll(neighbour, known)).state === JobServiceResponse_State.RUNNING,
    );
    const latencies: number[] = [];
    let wrong = 0;
    let sent = 0;
    let rejected = 0;
    let peakEarly = 0;
    const worker = async (): Promise<void> => {
      while (sent < polls) {
        const n = ++sent;
        if (n === polls / 10) peakEarly = peakResidentKib(query.child.pid);
        const { error } = await poll(careless, { queue: QUEUE, jobSetId: `made-up-${n}`, jobId: JobId('x') });
        if (error.includes('MAX_NEW_JOB_SETS_PER_CALLER')) rejected++;
      }
    };
    const began = performance.now();
    const workers = Promise.all(Array.from({ length: AT_ONCE }, worker));
    while (sent < polls) {
      const requestedAt = performance.now();
      if ((await poll(neighbour, known)).state !== JobServiceResponse_State.RUNNING) wrong++;
      latencies.push(performance.now() - requestedAt);
      await sleep(NEIGHBOUR_EVERY_MS);
    }
    await workers;
    const took = performance.now() - began;
    const keys = await store.redis.dbsize();
    const info = await store.redis.info('memory');
    const redisMb = Number(/^used_memory_peak:(\d+)/m.exec(info)?.[1]) / 1e6;
    const queued = await store.redis.zcard(`${store.redis.ownKeys.workQueuePrefix}:follow:delayed`);
    const admitted = polls - rejected;
    const growth = peakResidentKib(query.child.pid) / peakEarly;
    return [
      {
        what: `polls of ${thousands(polls)} job sets that do not exist, by one client: peak memory of Redis`,
        measured: `${redisMb.toFixed(1)} MB`,
        target: `${TARGET_REDIS_MB} MB at most`,
        met: redisMb <= TARGET_REDIS_MB,
      },
      {
        what: 'keys in Redis afterwards, and jobs in the work queue, per admitted job set',
        measured: `${(keys / admitted).toFixed(1)}, ${(queued / admitted).toFixed(1)}`,
        target: `${TARGET_KEYS} keys at most`,
        met: keys <= TARGET_KEYS * admitted,
      },
      {
        what: 'of these polls: admitted; rejected by MAX_NEW_JOB_SETS_PER_CALLER',
        measured: `${thousands(admitted)}; ${thousands(rejected)}, in ${(took / 1_000).toFixed(0)} s`,
        target: '',
      },
      {
        what: 'peak memory of the query, relative to a tenth of these polls',
        measured: `${(peakResidentKib(query.child.pid) / 1_024).toFixed(0)} MiB, ${growth.toFixed(2)} times`,
        target: `${TARGET_GROWTH} times at most`,
        met: growth <= TARGET_GROWTH,
      },
      {
        what: 'meanwhile, polls of a running job by another client: wrong or rejected',
        measured: `${wrong} of ${thousands(latencies.length)}; p50 ${quantile(latencies, 0.5).toFixed(0)} ms, p99 ${quantile(latencies, 0.99).toFixed(0)} ms`,
        target: 'none',
        met: wrong === 0,
      },
    ];
  } finally {
    careless.close();
    neighbour.close();
    await query.child.stop();
    await ingester.child.stop();
    armada.stop();
    await store.stop();
  }
}
