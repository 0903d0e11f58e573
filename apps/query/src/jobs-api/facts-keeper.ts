import type { JobFacts, JobSetKey } from '@ajs/job-state';
import type { JobLearner } from '@ajs/job-store';
import { byJobSet } from './by-job-set.js';

/** What was fetched of a job of this job set. */
export type Fetched = readonly [key: JobSetKey, fact: readonly [jobId: string, facts: JobFacts]];

/** Keeps what was fetched from Armada beside the jobs' records, so that it is fetched once. */
export class FactsKeeper {
  constructor(
    private readonly learner: Pick<JobLearner, 'learnFacts'>,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /** Returns at once: who asked does not wait for it. What could not be kept is fetched again. */
  keep(fetched: readonly Fetched[]): void {
    for (const { key, items } of byJobSet(fetched)) {
      this.learner.learnFacts(key, new Map(items)).catch(this.redisFailed);
    }
  }
}
