import { Child, startApp } from './child.js';
import { jobSetOf } from './fake-events.js';
import { followAll } from './following.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

/** A query whose Redis holds jobs that an ingester wrote, and the least that a call costs beside it. */
export interface PolledJobs {
  readonly queryPort: number;
  readonly echoPort: number;
  readonly jobSet: ReturnType<typeof jobSetOf>;
  /** Jobs that run, and as many others that have ended. */
  readonly running: readonly string[];
  readonly ended: readonly string[];
  /** Starts another query on the same jobs; resolves to its port. */
  readonly startQuery: (env: Readonly<Record<string, string>>) => Promise<number>;
}

/** Makes so many jobs that run, and as many that have ended, known to a query that is followed by an idle ingester, and measures. */
export async function withPolledJobs<T>(
  jobs: number,
  measure: (polled: PolledJobs) => Promise<T>,
): Promise<T> {
  const store = await startStore();
  const stops: (() => Promise<void>)[] = [];
  try {
    const followed = await followAll(store, { jobSets: 1, jobs: 2 * jobs, running: jobs });
    stops.push(followed.stop);
    const env = { REDIS_URL: store.server.url, ARMADA_URL: followed.armada };
    const startQuery: PolledJobs['startQuery'] = async (more) => {
      const query = await startApp('query', { ...env, ...more });
      stops.push(() => query.child.stop());
      return Number(query.told['grpcPort']);
    };
    const queryPort = await startQuery({});
    const echo = await Child.start(
      'dist/bench/main.js',
      ['--role', 'echo'],
      {},
      (line) => JSON.parse(line) as { listening: number },
    );
    stops.push(() => echo.child.stop());
    const ids = Array.from({ length: 2 * jobs }, (_, n) => jobIdOf(n));
    return await measure({
      queryPort,
      startQuery,
      echoPort: echo.told.listening,
      jobSet: jobSetOf(0),
      running: ids.slice(0, jobs),
      ended: ids.slice(jobs),
    });
  } finally {
    for (const stop of stops) await stop();
    await store.stop();
  }
}
