import type { JobState } from '@ajs/contracts/api/submit';
import { isTerminal, type JobState as OwnState } from '@ajs/job-state';
import type { JobLearner } from '@ajs/job-store';
import { fromApiJobState } from '@ajs/wire-mapping';
import { byJobSet } from './by-job-set.js';
import type { KnownJob } from './known-jobs.js';

/** A job that the cache knows, and what Armada has just said of its state. */
export type Told = readonly [jobId: string, known: Pick<KnownJob, 'key' | 'moment'>, state: JobState];

/**
 * Keeps the ends that Armada told of jobs whose streams may not be read. Where there is a stream it brings the end, and with it all that there
 * is to tell of it.
 */
export class ToldEnds {
  constructor(
    private readonly learner: Pick<JobLearner, 'learnEnds'>,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /** To be awaited before anybody is told: no later answer, by whichever replica and API, may go back behind an end (P1). Never rejects. */
  async keep(told: readonly Told[]): Promise<void> {
    const ends = told.flatMap(([jobId, { key, moment }, state]) => {
      const own = fromApiJobState(state);
      const isUnread = moment.subscription?.state === 'denied' || moment.subscription?.state === 'gone';
      return isUnread && own !== undefined && isTerminal(own) ? [[key, [jobId, own] as const] as const] : [];
    });
    const each = byJobSet<readonly [string, OwnState]>(ends);
    await Promise.all(
      each.map(({ key, items }) => this.learner.learnEnds(key, new Map(items)).catch(this.redisFailed)),
    );
  }
}
