import { Inject, Injectable } from '@nestjs/common';
import type { JobSetKey, JobId } from '@ajs/job-state';
import { IngesterMetrics, throttledLog, type Log, type ThrottledLog } from '@ajs/observability';
import { LOG } from '@ajs/runtime';
import type { ReconcileObserver } from '@ajs/subscriptions';

/** Reconciliation in the log and the metrics: a line for each round that repaired jobs, and a throttled one for failures. */
@Injectable()
export class ReconcileLog implements ReconcileObserver {
  private readonly throttled: ThrottledLog;

  constructor(
    @Inject(LOG) private readonly log: Log,
    @Inject(IngesterMetrics) private readonly metrics: IngesterMetrics,
  ) {
    this.throttled = throttledLog(log);
  }

  repaired(key: JobSetKey, jobIds: readonly JobId[]): void {
    this.metrics.repairedJobs.inc(jobIds.length);
    this.log.debug({ ...key, jobIds }, 'repaired jobs whose event stream lacks their terminal state');
  }

  roundEnded(key: JobSetKey, repaired: number, error?: Error): void {
    this.metrics.reconciliations.inc({ outcome: error === undefined ? 'complete' : 'failed' });
    if (repaired > 0) {
      this.log.warn(
        { ...key, repaired },
        "repaired jobs whose event stream lacks their terminal state, from Armada's api.Jobs",
      );
    }
    if (error === undefined) return;
    this.throttled(
      'warn',
      { ...key, err: error },
      "could not compare unfinished jobs with Armada's api.Jobs; retrying in 5 min",
      error.message,
    );
  }

  switchedOff(reason: string): void {
    this.log.warn(
      { reason },
      'Armada has no api.Jobs: jobs whose event stream lacks their terminal state stay unfinished; upgrade Armada and restart',
    );
  }
}
