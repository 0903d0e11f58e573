import type { JobEnrichment, JobSetKey, JobId } from '@ajs/job-state';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { groupByJobSet } from '../../store/group-by-job-set.js';

/** The enrichment fetched for one job of a job set. */
export type FetchedEnrichment = readonly [
  key: JobSetKey,
  entry: readonly [jobId: JobId, enrichment: JobEnrichment],
];

/** Stores what was fetched from Armada beside the jobs' records, so that it is fetched once. */
export class EnrichmentRecorder {
  constructor(
    private readonly sink: Pick<ProvisionalJobSink, 'addEnrichment'>,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /** Returns at once: the answer does not wait for it. What could not be stored is fetched again. */
  record(fetched: readonly FetchedEnrichment[]): void {
    for (const { key, items } of groupByJobSet(fetched)) {
      this.sink.addEnrichment(key, new Map(items)).catch(this.redisFailed);
    }
  }
}
