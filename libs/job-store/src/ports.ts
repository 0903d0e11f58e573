import type {
  JobEnrichment,
  JobRecord,
  JobReport,
  JobSetKey,
  JobState,
  MonotonicTime,
  RedisTime,
  ArmadaTime,
  JobId,
  Cursor,
} from '@ajs/job-state';
import type { Generation } from '@ajs/redis-keys';

/**
 * How a job set is being followed.
 * - `connecting`: nothing was read yet, or the connection to Armada is being made again.
 * - `catching-up`: reading what exists.
 * - `live`: synced with Armada, and staying so.
 * - `stalled`: no owner has written a heartbeat for {@link STALLED_AFTER_MS}, or Armada's events lag behind its `api.Jobs`
 *   ({@link eventLagMs}).
 * - `denied`: Armada does not let us watch the queue.
 * - `gone`: Armada says that the queue does not exist, and has said so for longer than its servers' lists are stale.
 */
export type SubscriptionState = (typeof SUBSCRIPTION_STATES)[number];

export const SUBSCRIPTION_STATES = [
  'connecting',
  'catching-up',
  'live',
  'stalled',
  'denied',
  'gone',
] as const;

/** What an owner reports of its subscription with every write. */
export interface SubscriptionReport {
  readonly state: Exclude<SubscriptionState, 'stalled'>;
  /** For people: why it is not live; '' when there is nothing to say. */
  readonly reason: string;
  /**
   * A moment at which Redis, with this write, holds all that Armada had: the begin of a sync read. Left out when nothing new is
   * known.
   */
  readonly syncedAt?: MonotonicTime;
  /** The job set has no watch, and is read again at this moment: there is no heartbeat until then. */
  readonly nextReadAt?: MonotonicTime;
}

/** Records with the cursor they stand for: written together, or not at all (P2). */
export interface Batch {
  /** The last message whose event is in the records of this or an earlier batch. */
  readonly cursor: Cursor;
  /** The records that changed, by job id. */
  readonly records: ReadonlyMap<JobId, JobRecord>;
  readonly subscription: SubscriptionReport;
  /** The latest time of the events in the batch. Left out where it has none. */
  readonly shownUntil?: ArmadaTime;
  /** The unfinished jobs have just been compared with Armada's own `api.Jobs`. */
  readonly reconciled?: true;
  /** How often events of the job set come now; left out where none do. */
  readonly eventsPerMinute?: number;
}

/** How often events of a job set came at the last write, and how long before the opening that was. */
export interface StoredRate {
  readonly eventsPerMinute: number;
  readonly agoMs: number;
}

/**
 * The right to write one job set, as good as what it last read: generation, cursor and revision. After any write by another
 * owner every write through it is refused with {@link StaleWriterError}, for good; open the job set again.
 * One call at a time, but for {@link JobSetWriter.unfinishedJobs}.
 */
export interface JobSetWriter {
  readonly key: JobSetKey;
  /** The last message durably applied; '' where there is none. */
  readonly cursor: Cursor;
  /** Jobs that have not ended. */
  readonly unfinished: number;
  /** How long before the opening a batch was last reconciled. Left out if none was. */
  readonly reconciledAgoMs?: number;
  /** Left out where the job set was never written by a version that stores it. */
  readonly storedRate?: StoredRate;
  /** At the last write: see {@link eventLagMs}. */
  readonly eventLagMs: number;
  /**
   * The records of these jobs, those that exist and that this version can read. Its owner writes the others anew: in a job set of
   * this version's layout they are provisional jobs that a newer query added, and the stream shows them from the beginning. External URIs
   * may be left out: what was written of them stays.
   */
  load(jobIds: Iterable<JobId>): Promise<ReadonlyMap<JobId, JobRecord>>;
  /**
   * Writes a batch. A terminal record in Redis is never replaced by another state (P1). When the outcome is unknown (a
   * connection that broke), the same batch may be tried again: if it was written, the second try is stale. Resolves to when it was
   * written.
   */
  write(batch: Batch): Promise<RedisTime>;
  /**
   * After a {@link StaleWriterError}: takes the job set up again, if it stands where this writer left it (the same generation
   * and cursor, and no earlier revision: only provisional jobs or reports were added since). Returns whether it does; if not, open the job set
   * anew. Rejects with {@link NewerLayoutError} as {@link JobSink.open} does.
   */
  reload(): Promise<boolean>;
  /**
   * The jobs that have not ended, with when they changed last, some hundreds at a time: never all in memory. What changes meanwhile may come twice, as it was, or not at all.
   */
  unfinishedJobs(): AsyncIterable<ReadonlyMap<JobId, ArmadaTime>>;
}

/** Where owners write. */
export interface JobSink {
  /**
   * Takes up a job set where it stands: begins it where it is new, and begins it anew (cursor '') where some of its
   * records are lost. Two owners may both open it; the first write makes the other one stale. Rejects with
   * {@link NewerLayoutError} where a newer version of this service owns the job set: leave it to a newer replica. One whose owner
   * has been silent for {@link STALLED_AFTER_MS} is taken over: its version was rolled back.
   */
  open(key: JobSetKey): Promise<JobSetWriter>;
}

/** What a read of states says of a job. */
export interface JobStatus extends Pick<JobRecord, 'state' | 'changedAt' | 'failure' | 'cancellation'> {
  /** The stream has not shown the job yet: see {@link ProvisionalJob}. Left out where it has. */
  readonly provisional?: true;
  /** The state is the one that Armada's `api.Jobs` reported: the stream has not come as far yet. Left out where it has. */
  readonly reported?: true;
  /** The revision of the job set at which the job changed last. Left out where a version that kept none wrote it. */
  readonly revision?: number;
}

export interface SubscriptionView {
  readonly state: SubscriptionState;
  readonly reason: string;
  /** When the job set was last known to be synced with Armada. */
  readonly syncedAt?: RedisTime;
  /** When it is read again. Left out where it is watched, or read now. */
  readonly nextReadAt?: RedisTime;
}

export interface JobSetView {
  /** When this was read. */
  readonly now: RedisTime;
  /** Left out where the job set has no keys: nobody has followed it yet, or it expired. */
  readonly subscription?: SubscriptionView;
  /** The jobs asked for, those that exist and can be read. */
  readonly jobs: ReadonlyMap<JobId, JobStatus>;
  /** The jobs asked for whose record this version cannot read, with why: a newer version wrote it. Not in {@link jobs}. */
  readonly unreadable: ReadonlyMap<JobId, string>;
}

/** Where readers ask. One round trip a call, and no write. */
export interface JobLister {
  read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView>;
  /**
   * The job set that each job is in, where it is known; jobs of one job set share the object of its key. It may name a job set that does
   * not hold the job, for 10 min at most (results are cached for so long): read the job there.
   */
  locate(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobSetKey>>;
}

/** A job that the stream has not shown yet, known from a forwarded submit. */
export interface ProvisionalJob {
  readonly jobId: JobId;
  readonly state: JobState;
  readonly changedAt: ArmadaTime;
  readonly submittedAt?: ArmadaTime;
  readonly failure?: JobRecord['failure'];
  /** The URI that Armada finds the job by: that of the submitted item, which wins over its annotation. */
  readonly externalUri?: string;
}

/** Where those write who know of a job by another way than the stream. */
export interface ProvisionalJobSink {
  /**
   * Gives records to jobs that have none, and begins the job set, without a cursor, where it is new. Never replaces a record, and leaves
   * out jobs that are known in another job set, with their URIs: only a stream and `api.Jobs`, which are Armada's own word, move a job.
   * An owner is stale by it, and reloads.
   */
  addProvisionalJobs(key: JobSetKey, jobs: readonly ProvisionalJob[]): Promise<void>;
  /**
   * Gives jobs the states that Armada's own `api.Jobs` reports, where these are further in a job's life than its record (`report` of
   * `@ajs/job-state`), and begins the job set, without a cursor, where it is new. Resolves to what the store then holds of each job: to be
   * answered instead of the report. Left out are jobs whose record this version cannot read; it stays as it is. An owner is stale by it,
   * unless nothing changed, and reloads.
   */
  report(key: JobSetKey, reports: ReadonlyMap<JobId, JobReport>): Promise<ReadonlyMap<JobId, JobStatus>>;
  /** Keeps enrichment, beside what was kept before. Nothing is kept of a job that has no record. No owner is stale by it. */
  addEnrichment(key: JobSetKey, enrichment: ReadonlyMap<JobId, JobEnrichment>): Promise<void>;
}

/** All that is known of a job. */
export interface DetailedJob {
  readonly record: JobRecord;
  readonly enrichment: JobEnrichment;
  /** As of a {@link JobStatus}. */
  readonly revision?: number;
}

declare const version: unique symbol;

/** All that was stored of a job when it was read: a later read that is given it says whether anything of it has changed since. */
export interface JobVersion {
  /** What it takes in memory, about. Bytes. */
  readonly size: number;
  readonly [version]: never;
}

export interface ReadJob extends DetailedJob {
  readonly version: JobVersion;
}

export interface JobSetDetails extends Omit<JobSetView, 'jobs'> {
  /** In which life of the job set the revisions of its jobs count. Left out where it has no keys. */
  readonly generation?: Generation;
  /** '' where the job set has no keys, or nothing of its stream was seen. */
  readonly cursor: Cursor;
  /** The jobs asked for, those that exist and can be read, but for those that are {@link unchanged}. */
  readonly jobs: ReadonlyMap<JobId, ReadJob>;
  /** The jobs asked for that are as they were seen. */
  readonly unchanged: ReadonlySet<JobId>;
}

/** Where readers ask for more than states. */
export interface JobDetailsLister {
  /**
   * @param seen each at the place of its job, where this lister has given one for it: such a job is not decoded again unless it has changed.
   *   Left out: none
   */
  readDetails(
    key: JobSetKey,
    jobIds: readonly JobId[],
    seen?: readonly (JobVersion | undefined)[],
  ): Promise<JobSetDetails>;
  /** The ids of jobs with an external URI: those submitted with it, and those that carry it as their annotation. */
  readUri(
    key: JobSetKey,
    externalUri: string,
  ): Promise<{ readonly submitted: readonly JobId[]; readonly annotated: readonly JobId[] }>;
}

/** What interest does to a job set's life (P8). */
export interface JobSetLife {
  /** Notes that the job set is polled now. Returns whether it has keys. */
  touch(key: JobSetKey): Promise<boolean>;
  /** How many of its jobs have not ended; `undefined` where it has no job at all. */
  unfinished(key: JobSetKey): Promise<number | undefined>;
  /** Deletes the job set if it was not polled for `idleMs`. Returns whether it did. */
  remove(key: JobSetKey, idleMs: number): Promise<boolean>;
}

/**
 * A job set without a heartbeat for this long is `stalled` for readers. Owners of a watch write one every 3 s, idle or not; for a job
 * set that is read on a schedule, the time counts from when it should have been read.
 */
export const STALLED_AFTER_MS = 15_000;
