import { setTimeout as sleep } from 'node:timers/promises';
import { RedisJobLister } from '@ajs/job-store';
import { FakeArmada, eventually, jobEvents } from '@ajs/testing';
import { startApp } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { quantile, type Figure } from './figure.js';
import { recordInterest } from './interest.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

const RATE = 500;
const JOB_SETS = 10;
const TARGET_P50_MS = 20;
const JOB = { namespace: 'default', annotations: {} };

/** From an event to its readable state, at 500 events per second in 10 job sets. */
export async function benchLatency(quick: boolean): Promise<Figure[]> {
  const events = RATE * (quick ? 2 : 20);
  const store = await startStore();
  const armada = new FakeArmada();
  const ingester = await startApp('ingester', {
    REDIS_URL: store.server.url,
    ARMADA_URL: await armada.listen('127.0.0.1:0'),
  });
  const lister = new RedisJobLister(store.redis);
  const keys = Array.from({ length: JOB_SETS }, (_, set) => jobSetOf(set));
  const latencies: number[] = [];
  try {
    armada.state.queues.add(QUEUE);
    await recordInterest(store, keys);
    await eventually('all are watched', async () => {
      const views = await Promise.all(keys.map((key) => lister.read(key, [])));
      return (
        views.every(({ subscription }) => subscription?.state === 'live') &&
        armada.events.streams === JOB_SETS
      );
    });
    const began = performance.now();
    const waits: Promise<void>[] = [];
    for (let n = 0; n < events; n++) {
      const due = began + (n * 1000) / RATE;
      if (due > performance.now()) await sleep(due - performance.now());
      const key = jobSetOf(n % JOB_SETS);
      const jobId = jobIdOf(n);
      const sent = performance.now();
      armada.state.openLog(key.queue, key.jobSetId).append(jobEvents.running({ ...key, jobId }, JOB));
      waits.push(
        (async () => {
          while (!(await lister.read(key, [jobId])).jobs.has(jobId));
          latencies.push(performance.now() - sent);
        })(),
      );
    }
    await Promise.all(waits);
  } finally {
    await ingester.child.stop();
    armada.stop();
    await store.stop();
  }
  const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
  return [
    {
      what: `from sending an event until its state can be read, at ${RATE} events/s`,
      measured: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
      target: `p50 under ${TARGET_P50_MS} ms`,
      met: p50 < TARGET_P50_MS,
    },
  ];
}
