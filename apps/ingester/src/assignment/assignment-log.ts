import { Inject, Injectable } from '@nestjs/common';
import type { Cursor, JobSetKey } from '@ajs/job-state';
import { redisErrorKind } from '@ajs/job-store';
import { IngesterMetrics, throttledLog, type Log, type ThrottledLog } from '@ajs/observability';
import { ArmadaMonitor, LOG, RedisErrorLog } from '@ajs/runtime';
import type { AssignmentObserver, StreamEnd } from '@ajs/subscriptions';
import { EventLagLog } from './event-lag-log.js';

/** Assignments in the log and the metrics: a line where following a job set begins, ends or fails, a number for the rest. */
@Injectable()
export class AssignmentLog implements AssignmentObserver {
  private readonly throttled: ThrottledLog;

  constructor(
    @Inject(LOG) private readonly log: Log,
    @Inject(IngesterMetrics) private readonly metrics: IngesterMetrics,
    @Inject(RedisErrorLog) private readonly redisErrors: RedisErrorLog,
    @Inject(EventLagLog) private readonly eventLag: EventLagLog,
    @Inject(ArmadaMonitor) private readonly armada: ArmadaMonitor,
  ) {
    this.throttled = throttledLog(log);
  }

  watchStarted(key: JobSetKey): void {
    this.log.info({ ...key }, 'following a job set');
  }

  watchEnded(key: JobSetKey, reason: string): void {
    this.log.info({ ...key, reason }, 'stopped following a job set');
  }

  streamEnded(key: JobSetKey, end: StreamEnd, retryInMs: number, inARow: number): void {
    this.metrics.streamEnds.inc({ kind: end.kind });
    const { kind, reason } = end;
    const fields = { ...key, reason, retryInMs, inARow };
    if (kind === 'denied') {
      const text =
        'Armada does not let this service watch the queue; grant its user watch_all_events, or the verb watch of the queue';
      this.throttled('error', fields, text, `denied ${key.queue}`);
    } else if (kind === 'gone') {
      this.throttled('info', fields, 'Armada does not know the queue', `gone ${key.queue}`);
    } else if (kind === 'unreadable') {
      const text = 'cannot read a message of the event stream; retrying';
      this.throttled('error', fields, text, `unreadable ${JSON.stringify(key)}`);
    } else {
      this.log.debug(fields, 'an event stream ended; retrying');
      this.armada.streamFailed(key, reason, inARow);
    }
  }

  messageSkipped(key: JobSetKey, after: Cursor, reason: string): void {
    this.metrics.skippedMessages.inc({ kind: 'unreadable' });
    this.throttled(
      'error',
      { ...key, after, reason },
      'skipped a message that cannot be read: its event is lost; a job that it ended is repaired from api.Jobs',
      `skipped ${JSON.stringify(key)}`,
    );
  }

  batchWritten(messages: number, ageMs: number | undefined): void {
    if (ageMs !== undefined) this.metrics.eventLagSeconds.observe(ageMs / 1_000);
    this.metrics.eventsApplied.inc(messages);
    this.metrics.batchesWritten.inc();
  }

  eventsLag(key: JobSetKey, lagMs: number): void {
    this.eventLag.update(key, lagMs);
  }

  /** No line: it happens whenever a query adds a provisional job. */
  reloading(): void {
    this.metrics.writeConflicts.inc();
  }

  staleWriter(key: JobSetKey): void {
    this.metrics.reopenedJobSets.inc();
    this.log.warn({ ...key }, 'lost ownership of the job set; reopening');
  }

  writeFailed(key: JobSetKey, error: Error): void {
    this.redisErrors.report(error, key);
  }

  unreadable(key: JobSetKey, error: Error, retryInMs: number, inARow: number): void {
    this.metrics.failedAssignments.inc({ cause: 'unreadable' });
    this.throttled(
      'warn',
      { ...key, err: error, retryInMs, inARow },
      'this version cannot read what is stored of the job set; leaving it to replicas of a newer version',
    );
  }

  assignmentFailed(key: JobSetKey, error: Error, retryInMs: number, inARow: number): void {
    this.metrics.failedAssignments.inc({ cause: 'failed' });
    if (redisErrorKind(error) === 'denied') {
      this.redisErrors.report(error, { ...key, retryInMs, inARow });
      return;
    }
    this.throttled(
      'error',
      { ...key, err: error, retryInMs, inARow },
      'following a job set failed; this is likely a defect of this service; retrying',
      error.message,
    );
  }
}
