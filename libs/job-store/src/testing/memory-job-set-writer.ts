import {
  isTerminal,
  msBetween,
  type ArmadaTime,
  type JobId,
  type JobRecord,
  type JobSetKey,
  type RedisTime,
} from '@ajs/job-state';
import { StaleWriterError } from '../errors.js';
import { eventLagMs } from '../event-lag.js';
import type { Batch, JobSetWriter, StoredRate } from '../ports.js';
import type { MemoryJobSet } from './memory-job-set.js';

/** What a writer needs of its store. */
export interface WriterStore {
  now(): RedisTime;
  isPresent(key: JobSetKey, jobSet: MemoryJobSet): boolean;
  write(key: JobSetKey, jobSet: MemoryJobSet, batch: Batch): void;
}

/** The writer of one job set in memory. */
export class MemoryJobSetWriter implements JobSetWriter {
  cursor;
  unfinished;
  eventLagMs = 0;
  readonly reconciledAgoMs?: number;
  readonly storedRate?: StoredRate;
  private revision: number;

  constructor(
    readonly key: JobSetKey,
    private readonly jobSet: MemoryJobSet,
    private readonly store: WriterStore,
  ) {
    const now = store.now();
    const { cursor, unfinished, revision, reconciledAt, eventsPerMinute, heartbeatAt } = jobSet;
    this.cursor = cursor;
    this.unfinished = unfinished;
    this.revision = revision;
    if (reconciledAt !== undefined) this.reconciledAgoMs = msBetween(reconciledAt, now);
    if (eventsPerMinute !== undefined)
      this.storedRate = { eventsPerMinute, agoMs: msBetween(heartbeatAt, now) };
  }

  load(jobIds: Iterable<JobId>): Promise<ReadonlyMap<JobId, JobRecord>> {
    const loaded = new Map<JobId, JobRecord>();
    for (const jobId of jobIds) {
      const record = this.jobSet.records.get(jobId);
      if (record !== undefined) loaded.set(jobId, record);
    }
    return Promise.resolve(loaded);
  }

  write(batch: Batch): Promise<RedisTime> {
    const { key, jobSet, store } = this;
    if (!store.isPresent(key, jobSet) || jobSet.revision !== this.revision) {
      return Promise.reject(new StaleWriterError(key));
    }
    store.write(key, jobSet, batch);
    this.takeUp();
    this.cursor = jobSet.cursor;
    this.eventLagMs = eventLagMs(jobSet.ahead?.since, store.now());
    return Promise.resolve(store.now());
  }

  reload(): Promise<boolean> {
    const isSame = this.store.isPresent(this.key, this.jobSet) && this.jobSet.cursor === this.cursor;
    if (isSame) this.takeUp();
    return Promise.resolve(isSame);
  }

  async *unfinishedJobs(): AsyncGenerator<ReadonlyMap<JobId, ArmadaTime>> {
    const unfinished = Array.from(this.jobSet.records).filter(([, { state }]) => !isTerminal(state));
    const jobs = new Map(unfinished.map(([jobId, { changedAt }]) => [jobId, changedAt]));
    if (jobs.size > 0) yield await Promise.resolve(jobs);
  }

  private takeUp(): void {
    this.revision = this.jobSet.revision;
    this.unfinished = this.jobSet.unfinished;
  }
}
