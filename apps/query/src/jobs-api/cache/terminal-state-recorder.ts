import type { JobState } from '@ajs/contracts/api/submit';
import { isTerminal, type JobEnd, type JobId } from '@ajs/job-state';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { fromApiJobState } from '@ajs/wire-mapping';
import type { CachedJob } from './cached-jobs.js';
import { groupByJobSet } from '../../store/group-by-job-set.js';

/** A cached job, and the state that Armada's `api.Jobs` has just reported for it. */
export type ReportedState = readonly [
  jobId: JobId,
  cached: Pick<CachedJob, 'key' | 'moment'>,
  state: JobState,
];

/**
 * Stores terminal states that Armada's `api.Jobs` reported for jobs whose event stream cannot be read (denied or gone). Where there is a
 * stream it brings the terminal state itself, together with the reason, exit codes and times.
 */
export class TerminalStateRecorder {
  constructor(
    private readonly sink: Pick<ProvisionalJobSink, 'report'>,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /**
   * Await it before answering: no later answer, by whichever replica and API, may show a state from before the terminal one (P1).
   * Never rejects.
   */
  async record(reported: readonly ReportedState[]): Promise<void> {
    const terminal = reported.flatMap(([jobId, { key, moment }, apiState]) => {
      const state = fromApiJobState(apiState);
      const isUnread = moment.subscription?.state === 'denied' || moment.subscription?.state === 'gone';
      return isUnread && state !== undefined && isTerminal(state)
        ? [[key, [jobId, { state }] as const] as const]
        : [];
    });
    await Promise.all(
      groupByJobSet<readonly [JobId, JobEnd]>(terminal).map(({ key, items }) =>
        this.sink.report(key, new Map(items)).catch(this.redisFailed),
      ),
    );
  }
}
