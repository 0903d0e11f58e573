import { throttledLog, type Log, type Metrics } from '@ajs/observability';
import type { ReconcileObserver } from '@ajs/subscriptions';

/** Reconciling as logs and metrics tell it: a line a job set and round that repaired something, and now and then one for trouble. */
export function reconcileObserver(log: Log, metrics: Metrics): ReconcileObserver {
  const isToBeTold = throttledLog();
  return {
    repaired: (key, jobIds) => {
      metrics.repairedJobs.inc(jobIds.length);
      log.debug({ ...key, jobIds }, 'jobs had ended without their event stream showing it');
    },
    roundEnded: (key, repaired, error) => {
      metrics.reconciliations.inc({ outcome: error === undefined ? 'complete' : 'failed' });
      if (repaired > 0) {
        log.warn(
          { ...key, repaired },
          'jobs had ended without their event stream showing it: they have the end now that Armada’s api.Jobs tells',
        );
      }
      if (error === undefined) return;
      const level = isToBeTold(error.message) ? 'warn' : 'debug';
      log[level](
        { ...key, err: error },
        'unfinished jobs could not be compared with Armada’s api.Jobs; it is tried again in 5 min',
      );
    },
    switchedOff: (reason) =>
      log.warn(
        { reason },
        'this Armada has no api.Jobs: jobs whose end its event streams do not show stay unfinished, until this process starts again',
      ),
  };
}
