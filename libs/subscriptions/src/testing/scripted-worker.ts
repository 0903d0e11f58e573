import { RedisJobSink, type RedisClient } from '@ajs/job-store';
import { JobSetWorker, type JobSetWorkerOptions } from '../assignment/job-set-worker.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import type { scriptedBudgets } from './scripted-budgets.js';
import { scriptedReconciler } from './scripted-reconciler.js';
import { SILENT_OBSERVER } from './silent-observer.js';

const ignore = (): void => undefined;

/** For specs: a replica's worker over a real Redis that has started, with all that a test does not look at filled in. */
export function scriptedWorker(
  redis: RedisClient,
  options: Pick<JobSetWorkerOptions, 'connection' | 'source'> &
    ReturnType<typeof scriptedBudgets> &
    Partial<JobSetWorkerOptions>,
): JobSetWorker {
  const worker = new JobSetWorker({
    sink: new RedisJobSink(redis, {
      ttlSeconds: 1_000,
      onLost: ignore,
      onKept: ignore,
      onUnreadable: ignore,
    }),
    observer: SILENT_OBSERVER,
    reconciler: scriptedReconciler().reconciler,
    timing: REFLECTOR_TIMING,
    rebalanceIntervalMs: 60_000,
    onError: ignore,
    onEnded: ignore,
    ...options,
  });
  worker.start();
  return worker;
}
