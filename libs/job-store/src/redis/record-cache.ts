import type { JobId, JobRecord } from '@ajs/job-state';

/** The records of one writer: filled by {@link RecordCache} alone. */
export type CachedRecords = Map<JobId, JobRecord>;

/**
 * Records that the writers of a process keep in memory, so that the next batch need not read them. Their number is bounded for all writers
 * together: beyond it, whoever used its records least recently loses all of them. One map for each writer, since an event finds its record by
 * the job id that it carries: keys made for a map of all writers cost more than the rest of what is done with a record.
 */
export class RecordCache {
  /** Those that hold any, the ones used least recently first. */
  private readonly used = new Set<CachedRecords>();
  private size = 0;

  /** @param max Records of all writers together. */
  constructor(private readonly max: number) {}

  /** Keeps those of the records that are `worthKeeping` for the writer, and forgets the others. */
  update(
    ofWriter: CachedRecords,
    records: ReadonlyMap<JobId, JobRecord>,
    worthKeeping: (record: JobRecord) => boolean,
  ): void {
    const before = ofWriter.size;
    for (const [jobId, record] of records) {
      if (worthKeeping(record)) ofWriter.set(jobId, record);
      else ofWriter.delete(jobId);
    }
    this.size += ofWriter.size - before;
    this.used.delete(ofWriter);
    if (ofWriter.size > 0) this.used.add(ofWriter);
    for (const other of this.used) {
      if (this.size <= this.max) break;
      this.clear(other);
    }
  }

  /** Forgets all records of the writer. */
  clear(ofWriter: CachedRecords): void {
    this.size -= ofWriter.size;
    ofWriter.clear();
    this.used.delete(ofWriter);
  }
}
