import { redisErrorKind } from '@ajs/job-store';
import { throttledLog, type Log, type Metrics } from '@ajs/observability';
import type { ReflectorObserver } from '@ajs/subscriptions';

/** Following as logs and metrics tell it: a line where something begins, ends or fails, a number for the rest. */
export function reflectorObserver(log: Log, metrics: Metrics): ReflectorObserver {
  const isToBeTold = throttledLog();
  return {
    watchStarted: (key) => log.info({ ...key }, 'following a job set'),
    watchEnded: (key, why) => log.info({ ...key, why }, 'stopped following a job set'),
    streamEnded: (key, end, retryInMs, inARow) => {
      metrics.streamEnds.inc({ kind: end.kind });
      // One line for an outage, not one for each try.
      const level = inARow === 1 ? 'info' : 'debug';
      log[level](
        { ...key, end: end.kind, reason: end.reason, retryInMs },
        'an event stream ended; trying again',
      );
    },
    applied: (messages) => {
      metrics.eventsApplied.inc(messages);
      metrics.batchesWritten.inc();
    },
    // As often as something is learned: no line for it.
    reloading: () => metrics.writeConflicts.inc(),
    staleWriter: (key) => {
      metrics.reopenedJobSets.inc();
      log.warn({ ...key }, 'somebody else follows the job set: opening it again');
    },
    writeFailed: (key, error) => {
      const cause = redisErrorKind(error);
      metrics.redisErrors.inc({ cause });
      const full = cause === 'write-refused';
      const level = isToBeTold(full ? 'full' : error.message) ? 'warn' : 'debug';
      const why = full ? 'Redis has reached its maxmemory' : 'a batch could not be written';
      log[level]({ ...key, err: error }, `${why}; it is tried again`);
    },
  };
}
