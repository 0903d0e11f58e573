import { isTerminal } from '@ajs/job-state';
import { RedisJobLister, createRedisClient } from '@ajs/job-store';
import { Demand, WorkQueue } from '@ajs/subscriptions';
import { eventually } from '@ajs/testing';
import { Child, startApp } from './child.js';
import { EVENTS_PER_JOB, QUEUE } from './fake-events.js';
import { thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

const AIM = 30_000;
const PATIENCE_MS = 300_000;

/** From the first demand until the last state is readable: events a second through one ingester. */
export async function benchThroughput(quick: boolean): Promise<Figure[]> {
  const one = await measure(1, quick ? 2_000 : 50_000);
  const hundred = await measure(100, quick ? 50 : 1_000);
  return [
    { what: 'events from 1 job set to Redis', measured: `${thousands(one)}/s`, aim: '' },
    {
      what: 'events from 100 job sets to Redis',
      measured: `${thousands(hundred)}/s`,
      aim: `${thousands(AIM)}/s`,
      met: hundred >= AIM,
    },
  ];
}

async function measure(jobSets: number, jobs: number): Promise<number> {
  const store = await startStore();
  const fake = await Child.start(
    'dist/bench/main.js',
    ['--role', 'fake', '--job-sets', `${jobSets}`, '--jobs', `${jobs}`],
    {},
    (line) => JSON.parse(line) as { listening: string },
  );
  const ingester = await startApp('ingester', {
    REDIS_URL: store.server.url,
    ARMADA_URL: fake.told.listening,
  });
  const connection = createRedisClient(
    { kind: 'single', url: store.server.url },
    'work-queue',
    () => undefined,
  );
  const workQueue = new WorkQueue(connection, () => undefined);
  const lister = new RedisJobLister(store.redis);
  const demand = new Demand(store.redis);
  const keys = Array.from({ length: jobSets }, (_, set) => ({ queue: QUEUE, jobSetId: `set-${set}` }));
  try {
    const began = performance.now();
    await Promise.all(keys.map((key) => demand.note(key)));
    await workQueue.hint(keys);
    await eventually(
      'all events are in Redis',
      async () => {
        const ended = await Promise.all(
          keys.map(async (key, set) => {
            const last = jobIdOf(set * jobs + jobs - 1);
            const status = (await lister.read(key, [last])).jobs.get(last);
            return status !== undefined && isTerminal(status.state);
          }),
        );
        return ended.every(Boolean);
      },
      PATIENCE_MS,
    );
    return (jobSets * jobs * EVENTS_PER_JOB * 1000) / (performance.now() - began);
  } finally {
    await ingester.child.stop();
    await fake.child.stop();
    await workQueue.close();
    connection.disconnect();
    await store.stop();
  }
}
