import { isTerminal } from '@ajs/job-state';
import { RedisJobLister } from '@ajs/job-store';
import { eventually } from '@ajs/testing';
import { Child, startApp } from './child.js';
import { cpuMs } from './cpu.js';
import { jobSetOf, type FakeEvents } from './fake-events.js';
import { recordInterest } from './interest.js';
import { jobIdOf } from './jobs.js';
import type { Store } from './store.js';

const PATIENCE_MS = 300_000;

/** An ingester that has written every event, and its Armada. Both run until they are stopped. */
export interface Followed {
  /** From the first interest until the last state is readable. Milliseconds. */
  readonly took: number;
  /** Processor time that the ingester and Redis took meanwhile. Milliseconds. */
  readonly ingesterCpuMs: number;
  readonly redisCpuMs: number;
  /** host:port */
  readonly armada: string;
  readonly ingesterPid: number;
  readonly stop: () => Promise<void>;
}

/** Has an ingester, with these settings besides, write all events of a fake Armada to Redis. */
export async function followAll(
  store: Store,
  events: FakeEvents,
  env: Readonly<Record<string, string>> = {},
): Promise<Followed> {
  const { child: fake, started } = await Child.start(
    'dist/bench/main.js',
    [
      ...['--role', 'fake', '--job-sets', `${events.jobSets}`],
      ...['--jobs', `${events.jobs}`, '--running', `${events.running}`],
    ],
    {},
    (line) => JSON.parse(line) as { listening: string },
    PATIENCE_MS,
  );
  const ingester = await startApp('ingester', {
    REDIS_URL: store.server.url,
    ARMADA_URL: started.listening,
    // What is measured is how fast they are read, not how soon they may be.
    UPSTREAM_READS_PER_SECOND: '10000',
    ...env,
  });
  const stop = async (): Promise<void> => {
    await ingester.child.stop();
    await fake.stop();
  };
  try {
    const keys = Array.from({ length: events.jobSets }, (_, set) => jobSetOf(set));
    const pids = { ingester: ingester.child.pid, redis: store.server.pid };
    const before = { at: performance.now(), ingester: cpuMs(pids.ingester), redis: cpuMs(pids.redis) };
    await recordInterest(store, keys);
    const lister = new RedisJobLister(store.redis);
    // The last event of a job set ends its last job. Checked one by one, so that checking does not cost what is measured.
    for (const [set, key] of keys.entries()) {
      const last = jobIdOf((set + 1) * events.jobs - 1);
      await eventually(
        `the last job of ${key.jobSetId} has ended`,
        async () => {
          const status = (await lister.read(key, [last])).jobs.get(last);
          return status !== undefined && isTerminal(status.state);
        },
        PATIENCE_MS,
      );
    }
    const taken = {
      took: performance.now() - before.at,
      ingesterCpuMs: cpuMs(pids.ingester) - before.ingester,
      redisCpuMs: cpuMs(pids.redis) - before.redis,
    };
    for (const key of keys) {
      await eventually(
        `${key.jobSetId} is synced`,
        async () => (await lister.read(key, [])).subscription?.state === 'live',
      );
    }
    return { ...taken, armada: started.listening, ingesterPid: ingester.child.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
