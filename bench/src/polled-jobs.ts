import { Child, startApp } from './child.js';
import { jobSetOf } from './fake-events.js';
import { followAll } from './following.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

/** A process that serves calls. */
export interface Measured {
  readonly port: number;
  readonly pid: number;
}

/** A query over jobs that an ingester has written, and an echo server as the baseline. */
export interface PolledJobs {
  readonly query: Measured;
  readonly echo: Measured;
  /** An echo that reads from Redis, once for the calls of a turn of its event loop. */
  readonly readingEcho: Measured;
  /** Answers `api.Jobs/GetJobStatus` with bytes that it has in memory, as many as the query does. */
  readonly memory: Measured;
  readonly jobSet: ReturnType<typeof jobSetOf>;
  /** Running jobs, and as many that have ended. */
  readonly running: readonly string[];
  readonly ended: readonly string[];
  /** Starts another query over the same jobs. */
  readonly startQuery: (env: Readonly<Record<string, string>>) => Promise<Measured>;
}

/** Measures a query that knows so many running jobs and as many that have ended, beside an idle ingester. */
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
      return { port: Number(query.started['grpcPort']), pid: query.child.pid };
    };
    const startServer = async (...role: string[]): Promise<Measured> => {
      const { child, started } = await Child.start(
        'dist/bench/main.js',
        ['--role', ...role],
        {},
        (line) => JSON.parse(line) as { listening: number },
      );
      stops.push(() => child.stop());
      return { port: started.listening, pid: child.pid };
    };
    const ids = Array.from({ length: 2 * jobs }, (_, n) => jobIdOf(n));
    return await measure({
      query: await startQuery({}),
      startQuery,
      echo: await startServer('echo'),
      readingEcho: await startServer('reading-echo', '--redis', store.server.url),
      memory: await startServer('memory'),
      jobSet: jobSetOf(0),
      running: ids.slice(0, jobs),
      ended: ids.slice(jobs),
    });
  } finally {
    for (const stop of stops) await stop();
    await store.stop();
  }
}
