import type { JobId } from '@ajs/job-state';
import { throttledLog, type Log, type Metrics } from '@ajs/observability';

/**
 * What becomes of failures that calls run into and that are not their callers': each is counted, and logged once a minute while it goes
 * on. The methods are bound, to be passed on as they are.
 */
export class FailureLog {
  private readonly isDue: (what: string) => boolean;

  constructor(
    private readonly log: Pick<Log, 'error' | 'warn'>,
    private readonly metrics: Pick<Metrics, 'internalErrors' | 'unreadableRecords'>,
    now?: () => number,
  ) {
    this.isDue = throttledLog(now);
  }

  /** A call ran into a defect of this service. */
  readonly internalError = (error: Error): void => {
    this.metrics.internalErrors.inc();
    if (this.isDue(`${error.name}: ${error.message}`)) {
      this.log.error({ err: error }, 'Internal error: a defect of this service; please report it');
    }
  };

  /** A call asked for a job whose stored record this version cannot read. */
  readonly unreadableRecord = (jobId: JobId, reason: string): void => {
    this.metrics.unreadableRecords.inc();
    if (this.isDue(reason)) this.log.warn({ jobId, reason }, 'Unreadable job record; upgrade this replica');
  };
}
