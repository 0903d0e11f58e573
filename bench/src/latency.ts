import { setTimeout as sleep } from 'node:timers/promises';
import { RedisJobLister } from '@ajs/job-store';
import { FakeArmada, eventually, jobEvents } from '@ajs/testing';
import { startApp } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { quantile, thousands, type Figure } from './figure.js';
import { recordInterest } from './interest.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

/** Events per second. */
const RATES = [500, 2_000];
/** Events per second whose states are polled for: polling for all would take the processor from what is measured. */
const POLLED_FOR = 100;
const JOB_SETS = 10;
const TARGET_P50_MS = 3;
const TARGET_P99_MS = 25;
const JOB = { namespace: 'default', annotations: {} };

/** From an event to its readable state, at a steady rate of events in 10 job sets. */
export async function benchLatency(quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rate of RATES) figures.push(figureOf(rate, await measure(rate, rate * (quick ? 6 : 20))));
  return figures;
}

async function measure(rate: number, events: number): Promise<number[]> {
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
      const due = began + (n * 1000) / rate;
      if (due > performance.now()) await sleep(due - performance.now());
      const key = jobSetOf(n % JOB_SETS);
      const jobId = jobIdOf(n);
      const sent = performance.now();
      armada.state.openLog(key.queue, key.jobSetId).append(jobEvents.running({ ...key, jobId }, JOB));
      // The first second only warms up: compiled code, connections.
      if (n < rate || Math.random() >= POLLED_FOR / rate) continue;
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
  return latencies;
}

function figureOf(rate: number, latencies: readonly number[]): Figure {
  const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
  return {
    what: `from sending an event until its state can be read, at ${thousands(rate)} events/s`,
    measured: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    target: `p50 at most ${TARGET_P50_MS} ms, p99 at most ${TARGET_P99_MS} ms`,
    met: p50 <= TARGET_P50_MS && p99 <= TARGET_P99_MS,
  };
}
