import { eventually } from '@ajs/testing';
import { startApp } from './child.js';
import type { Measured } from './polled-jobs.js';
import type { Store } from './store.js';

/** Room for all calls of a benchmark that stay open, though one caller makes them. */
const LIMITS = {
  MAX_CONCURRENT_CALLS: '100000',
  MAX_OPEN_WAITS: '100000',
  MAX_OPEN_WATCHES: '10000',
  MAX_BUFFERED_BYTES: `${4 * 1024 ** 3}`,
};
const OPENED_WITHIN_MS = 120_000;

/** A query for calls that stay open. */
export interface WatchedQuery extends Measured {
  /** Resolves once so many calls of a method of `jobservice.v2` are open. */
  readonly whenOpen: (method: 'waitForJobs' | 'watchJobSet', calls: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export async function startWatchedQuery({ server }: Store): Promise<WatchedQuery> {
  // Nothing listens there: what is stored is answered without Armada.
  const env = { REDIS_URL: server.url, ARMADA_URL: 'localhost:1', ...LIMITS };
  const { child, started } = await startApp('query', env);
  const metricsUrl = `http://127.0.0.1:${String(started['httpPort'])}/metrics`;
  return {
    port: Number(started['grpcPort']),
    pid: child.pid,
    whenOpen: async (method, calls) => {
      const line = `armada_job_service_open_calls{method="${method}"} ${calls}\n`;
      const isOpen = async (): Promise<boolean> => (await (await fetch(metricsUrl)).text()).includes(line);
      await eventually(`${calls} calls of ${method} are open`, isOpen, OPENED_WITHIN_MS);
    },
    stop: () => child.stop(),
  };
}
