import type { JobState } from '@ajs/contracts/api/submit';
import { isTerminal, type TerminalState } from '@ajs/job-state';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { fromApiJobState } from '@ajs/wire-mapping';
import { groupByJobSet } from './group-by-job-set.js';
import type { CachedJob } from './cached-jobs.js';

/** A job that the cache knows, and what Armada has just said of its state. */
export type ReportedState = readonly [
  jobId: string,
  known: Pick<CachedJob, 'key' | 'moment'>,
  state: JobState,
];

/**
 * Keeps the ends that Armada told of jobs whose streams may not be read. Where there is a stream it brings the end, and with it all that there
 * is to tell of it.
 */
export class TerminalStateRecorder {
  constructor(
    private readonly learner: Pick<ProvisionalJobSink, 'addTerminalStates'>,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /** To be awaited before anybody is told: no later answer, by whichever replica and API, may go back behind an end (P1). Never rejects. */
  async keep(told: readonly ReportedState[]): Promise<void> {
    const ends = told.flatMap(([jobId, { key, moment }, state]) => {
      const own = fromApiJobState(state);
      const isUnread = moment.subscription?.state === 'denied' || moment.subscription?.state === 'gone';
      return isUnread && own !== undefined && isTerminal(own) ? [[key, [jobId, own] as const] as const] : [];
    });
    const each = groupByJobSet<readonly [string, TerminalState]>(ends);
    await Promise.all(
      each.map(({ key, items }) =>
        this.learner.addTerminalStates(key, new Map(items)).catch(this.redisFailed),
      ),
    );
  }
}
