import type { JobEnrichment, JobSetKey } from '@ajs/job-state';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { groupByJobSet } from './group-by-job-set.js';

/** What was fetched of a job of this job set. */
export type FetchedEnrichment = readonly [
  key: JobSetKey,
  fact: readonly [jobId: string, facts: JobEnrichment],
];

/** Keeps what was fetched from Armada beside the jobs' records, so that it is fetched once. */
export class EnrichmentRecorder {
  constructor(
    private readonly learner: Pick<ProvisionalJobSink, 'addEnrichment'>,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /** Returns at once: who asked does not wait for it. What could not be kept is fetched again. */
  keep(fetched: readonly FetchedEnrichment[]): void {
    for (const { key, items } of groupByJobSet(fetched)) {
      this.learner.addEnrichment(key, new Map(items)).catch(this.redisFailed);
    }
  }
}
