import type { JobId } from '@ajs/job-state';
import { throttledLog, type QueryMetrics, type ThrottledLog } from '@ajs/observability';
import type { Clock } from '@ajs/platform';

/**
 * What becomes of failures that calls run into and that are not their callers': each is counted, and logged once a minute while it goes
 * on. The methods are bound, to be passed on as they are.
 */
export class FailureLog {
  private readonly log: ThrottledLog;

  constructor(
    log: Parameters<typeof throttledLog>[0],
    private readonly metrics: Pick<QueryMetrics, 'internalErrors' | 'unreadableRecords'>,
    clock?: Clock,
  ) {
    this.log = throttledLog(log, clock);
  }

  /** A call ran into a defect of this service. */
  readonly internalError = (error: Error): void => {
    this.metrics.internalErrors.inc();
    this.log(
      'error',
      { err: error },
      'internal error: a defect of this service; report it with this line',
      `${error.name}: ${error.message}`,
    );
  };

  /** A call asked for a job whose stored record this version cannot read. */
  readonly unreadableRecord = (jobId: JobId, reason: string): void => {
    this.metrics.unreadableRecords.inc();
    this.log('warn', { jobId, reason }, 'cannot read the record of a job; upgrade this replica', reason);
  };
}
