import { setTimeout as sleep } from 'node:timers/promises';
import {
  JobServiceResponse_State,
  JobServiceService,
  type JobServiceResponse,
} from '@ajs/contracts/jobservice/jobservice';
import { WORK_QUEUE_PREFIX } from '@ajs/redis-keys';
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
/** A work-queue job and its meta, and what BullMQ has beside. */
const AIM_KEYS = 4;
const AIM_REDIS_MB = 64;
const AIM_GROWTH = 1.5;

/**
 * A client polls job sets that do not exist, each once, at the default settings; another one, which counts as the same caller since it
 * comes from the same address, polls a job that runs.
 */
export async function benchCareless(quick: boolean): Promise<Figure[]> {
  const polls = quick ? 50_000 : 1_000_000;
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
    new Client(`127.0.0.1:${Number(query.told['grpcPort'])}`, credentials.createInsecure(), {
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
    let refused = 0;
    let peakEarly = 0;
    const worker = async (): Promise<void> => {
      while (sent < polls) {
        const n = ++sent;
        if (n === polls / 10) peakEarly = peakResidentKib(query.child.pid);
        const { error } = await poll(careless, { queue: QUEUE, jobSetId: `made-up-${n}`, jobId: 'x' });
        if (error.includes('MAX_NEW_JOB_SETS_PER_CALLER')) refused++;
      }
    };
    const began = performance.now();
    const workers = Promise.all(Array.from({ length: AT_ONCE }, worker));
    while (sent < polls) {
      const asked = performance.now();
      if ((await poll(neighbour, known)).state !== JobServiceResponse_State.RUNNING) wrong++;
      latencies.push(performance.now() - asked);
      await sleep(NEIGHBOUR_EVERY_MS);
    }
    await workers;
    const took = performance.now() - began;
    const keys = await store.redis.dbsize();
    const info = await store.redis.info('memory');
    const redisMb = Number(/^used_memory_peak:(\d+)/m.exec(info)?.[1]) / 1e6;
    const turns = await store.redis.zcard(`${WORK_QUEUE_PREFIX}:follow:delayed`);
    const letIn = polls - refused;
    const growth = peakResidentKib(query.child.pid) / peakEarly;
    return [
      {
        what: `polls of ${thousands(polls)} job sets that do not exist, by one client: most memory of Redis`,
        measured: `${redisMb.toFixed(1)} MB`,
        aim: `${AIM_REDIS_MB} MB at most`,
        met: redisMb <= AIM_REDIS_MB,
      },
      {
        what: 'keys in Redis afterwards, and turns in the work queue, of each job set that was let in',
        measured: `${(keys / letIn).toFixed(1)}, ${(turns / letIn).toFixed(1)}`,
        aim: `${AIM_KEYS} keys at most`,
        met: keys <= AIM_KEYS * letIn,
      },
      {
        what: 'of these polls: let in; refused with the reason (MAX_NEW_JOB_SETS_PER_CALLER)',
        measured: `${thousands(letIn)}; ${thousands(refused)}, in ${(took / 1_000).toFixed(0)} s`,
        aim: '',
      },
      {
        what: 'most memory of the query, against a tenth of these polls',
        measured: `${(peakResidentKib(query.child.pid) / 1_024).toFixed(0)} MiB, ${growth.toFixed(2)} times`,
        aim: `${AIM_GROWTH} times at most`,
        met: growth <= AIM_GROWTH,
      },
      {
        what: 'meanwhile, polls of a job that runs, by another client: wrong or refused',
        measured: `${wrong} of ${thousands(latencies.length)}; p50 ${quantile(latencies, 0.5).toFixed(0)} ms, p99 ${quantile(latencies, 0.99).toFixed(0)} ms`,
        aim: 'none',
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
