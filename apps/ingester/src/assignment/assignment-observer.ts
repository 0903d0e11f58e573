import { redisErrorKind } from '@ajs/job-store';
import { throttledLog, type Log, type Metrics } from '@ajs/observability';
import type { AssignmentObserver } from '@ajs/subscriptions';

/** Following as logs and metrics tell it: a line where something begins, ends or fails, a number for the rest. */
export function assignmentObserver(log: Log, metrics: Metrics): AssignmentObserver {
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
    batchWritten: (messages) => {
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
    newerLayout: (key, error, retryInMs, inARow) => {
      metrics.failedAssignments.inc({ cause: 'newer-layout' });
      const level = inARow === 1 && isToBeTold('newer layout') ? 'warn' : 'debug';
      log[level](
        { ...key, err: error, retryInMs },
        'a newer version of this service wrote the job set; it is left to replicas of that version',
      );
    },
    assignmentFailed: (key, error, retryInMs, inARow) => {
      metrics.failedAssignments.inc({ cause: 'failed' });
      const level = inARow === 1 ? 'error' : 'debug';
      log[level]({ ...key, err: error, retryInMs }, 'following a job set failed; it is tried again later');
    },
  };
}
