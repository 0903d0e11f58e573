import { eventually, freePort } from '@ajs/testing';
import { startApp } from './child.js';
import type { EndedCall } from './open-calls.js';
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
  /** Resolves once so many calls of a method of `jobservice.v2` are open. Rejects where one of them has ended meanwhile. */
  readonly whenOpen: (
    method: 'waitForJobs' | 'watchJobSet',
    calls: number,
    ended: readonly EndedCall[],
  ) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export async function startWatchedQuery({ server }: Store): Promise<WatchedQuery> {
  // Nothing listens there: what is stored is answered without Armada.
  const http = `127.0.0.1:${await freePort()}`;
  const env = { REDIS_URL: server.url, ARMADA_URL: 'localhost:1', QUERY_HTTP_ADDRESS: http, ...LIMITS };
  const { child, started } = await startApp('query', env);
  return {
    port: Number(started['grpcPort']),
    pid: child.pid,
    whenOpen: async (method, calls, ended) => {
      const line = `armada_job_service_open_calls{method="${method}"} ${calls}\n`;
      const metrics = async (): Promise<string> => (await fetch(`http://${http}/metrics`)).text();
      const isOpen = async (): Promise<boolean> => ended.length > 0 || (await metrics()).includes(line);
      await eventually(`${calls} calls of ${method} are open`, isOpen, OPENED_WITHIN_MS);
      const [first] = ended;
      if (first !== undefined) throw new Error(`a call ended with ${first.code} before all were open`);
    },
    stop: () => child.stop(),
  };
}
