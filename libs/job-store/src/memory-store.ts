import { isTerminal, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { jobSetTag } from '@ajs/redis-keys';
import {
  STALLED_AFTER_MS,
  StaleWriterError,
  type Batch,
  type JobLister,
  type JobSetLife,
  type JobSetView,
  type JobSetWriter,
  type JobSink,
  type SubscriptionReport,
} from './ports.js';

interface JobSet {
  cursor: string;
  revision: number;
  interestAt: number;
  contactAt: number;
  levelAt: number | undefined;
  report: SubscriptionReport;
  readonly records: Map<string, JobRecord>;
}

/**
 * The store's contract in its plainest form, in the memory of one process: what the store over Redis is compared with,
 * and what tests of other parts may stand on.
 */
export class MemoryJobStore implements JobSink, JobLister, JobSetLife {
  private readonly jobSets = new Map<string, JobSet>();
  private readonly index = new Map<string, JobSetKey>();

  /** @param now The clock: milliseconds, for the store's times and for `levelAt` alike. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  open(key: JobSetKey): Promise<JobSetWriter> {
    const tag = jobSetTag(key);
    const jobSet = this.jobSets.get(tag) ?? {
      cursor: '',
      revision: 1,
      interestAt: this.now(),
      contactAt: this.now(),
      levelAt: undefined,
      report: { state: 'connecting' as const, reason: '' },
      records: new Map<string, JobRecord>(),
    };
    this.jobSets.set(tag, jobSet);
    let revision = jobSet.revision;

    const writer: JobSetWriter = {
      key,
      cursor: jobSet.cursor,
      unfinished: countUnfinished(jobSet),
      load: (jobIds) =>
        Promise.resolve(
          new Map(
            Array.from(jobIds, (jobId) => [jobId, jobSet.records.get(jobId)] as const).filter(
              (entry): entry is [string, JobRecord] => entry[1] !== undefined,
            ),
          ),
        ),
      write: (batch) => {
        if (this.jobSets.get(tag) !== jobSet || jobSet.revision !== revision) {
          return Promise.reject(new StaleWriterError(key));
        }
        this.apply(key, jobSet, batch);
        revision = jobSet.revision;
        Object.assign(writer, { cursor: jobSet.cursor, unfinished: countUnfinished(jobSet) });
        return Promise.resolve();
      },
      reload: () => {
        const same = this.jobSets.get(tag) === jobSet && jobSet.cursor === writer.cursor;
        if (same) revision = jobSet.revision;
        return Promise.resolve(same);
      },
    };
    return Promise.resolve(writer);
  }

  read(key: JobSetKey, jobIds: readonly string[]): Promise<JobSetView> {
    const now = this.now();
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet === undefined) return Promise.resolve({ now, jobs: new Map() });
    const stalled = now - jobSet.contactAt > STALLED_AFTER_MS;
    return Promise.resolve({
      now,
      subscription: {
        state: stalled ? 'stalled' : jobSet.report.state,
        reason: stalled
          ? `no ingester has written for ${Math.round((now - jobSet.contactAt) / 1000)} s`
          : jobSet.report.reason,
        ...(jobSet.levelAt !== undefined && { levelAt: jobSet.levelAt }),
      },
      jobs: new Map(
        jobIds.flatMap((jobId) => {
          const record = jobSet.records.get(jobId);
          if (record === undefined) return [];
          const { state, changedAt, failure, cancellation } = record;
          const status = {
            state,
            changedAt,
            ...(failure !== undefined && { failure }),
            ...(cancellation !== undefined && { cancellation }),
          };
          return [[jobId, status] as const];
        }),
      ),
    });
  }

  locate(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobSetKey>> {
    return Promise.resolve(
      new Map(
        jobIds.flatMap((jobId) => {
          const key = this.index.get(jobId);
          return key === undefined ? [] : [[jobId, key] as const];
        }),
      ),
    );
  }

  touch(key: JobSetKey): Promise<boolean> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet !== undefined) jobSet.interestAt = this.now();
    return Promise.resolve(jobSet !== undefined);
  }

  unfinished(key: JobSetKey): Promise<number> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    return Promise.resolve(jobSet === undefined ? 0 : countUnfinished(jobSet));
  }

  remove(key: JobSetKey, idleMs: number): Promise<boolean> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet === undefined || this.now() - jobSet.interestAt < idleMs) return Promise.resolve(false);
    for (const jobId of jobSet.records.keys()) this.index.delete(jobId);
    return Promise.resolve(this.jobSets.delete(jobSetTag(key)));
  }

  private apply(key: JobSetKey, jobSet: JobSet, { cursor, records, subscription }: Batch): void {
    for (const [jobId, record] of records) {
      this.index.set(jobId, key);
      const old = jobSet.records.get(jobId);
      if (old !== undefined && isTerminal(old.state) && old.state !== record.state) continue;
      jobSet.records.set(jobId, record);
    }
    jobSet.cursor = cursor;
    jobSet.revision++;
    jobSet.report = subscription;
    jobSet.levelAt = subscription.levelAt ?? jobSet.levelAt;
    jobSet.contactAt = this.now();
  }
}

function countUnfinished(jobSet: JobSet): number {
  return Array.from(jobSet.records.values()).filter((record) => !isTerminal(record.state)).length;
}
