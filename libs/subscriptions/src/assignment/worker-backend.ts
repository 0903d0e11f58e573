import type { LoopProgress } from '@ajs/platform';
import { createRedisBackend, type BackendFactory, type RedisQueueBackend } from 'bullmq';

/**
 * The two loops of BullMQ's worker: `fetching` takes jobs, and looks for one every second while there is none; `stalledCheck` gives jobs whose
 * lock has expired to other workers.
 */
export type WorkerLoops = Readonly<Record<'fetching' | 'stalledCheck', LoopProgress>>;

/** BullMQ's backend in Redis, which reports each round of its worker's loops: BullMQ itself announces only what fails. */
export function reportingBackend({ fetching, stalledCheck }: WorkerLoops): BackendFactory<RedisQueueBackend> {
  return (...args) => {
    const backend = createRedisBackend(...args);
    const fetch = backend.moveToActive.bind(backend);
    const check = backend.moveStalledJobsToWait.bind(backend);
    return Object.assign(backend, {
      moveToActive: async (...of: Parameters<typeof fetch>) => {
        const fetched: unknown[] = await fetch(...of);
        fetching.moved();
        return fetched;
      },
      moveStalledJobsToWait: async () => {
        const stalled = await check();
        stalledCheck.moved();
        return stalled;
      },
    });
  };
}
