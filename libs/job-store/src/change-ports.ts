import type { Cursor, JobId, JobSetKey, RedisTime } from '@ajs/job-state';
import type { Generation } from '@ajs/redis-keys';
import type { JobPosition } from './listing-ports.js';
import type { DetailedJob, SubscriptionView } from './ports.js';

/** How far the writes of a job set have come, in one life of its keys. Each life counts anew. */
export interface JobSetPosition {
  readonly generation: Generation;
  /** Of the last write. Writes of one generation never share a revision, not even where Redis lost some: later ones have greater ones. */
  readonly revision: number;
}

/** A job as it was after a write that changed it: the revision is that of the write, 0 where a version that kept none wrote the record. */
export interface ChangedJob extends JobSetPosition {
  readonly jobId: JobId;
  /** Left out where this version cannot read the record: a newer version wrote it. */
  readonly job?: DetailedJob;
}

/** What one write of a job set changed. */
export interface ChangeNotice extends JobSetPosition {
  /** The revision of the write before. A receiver that has not seen that one has missed a notice. */
  readonly previous: number;
  /** In the order in which jobs are listed. Empty for a heartbeat. Left out where they are too much to be sent: read what is newer than {@link previous}. */
  readonly jobs?: readonly ChangedJob[];
}

/** Some of the jobs that changed. */
export interface ChangesPage {
  /** Of the job set when this page was read. */
  readonly revision: number;
  /** In the order in which jobs are listed. */
  readonly jobs: readonly ChangedJob[];
  /** Where the next page begins. Left out for the last one. */
  readonly next?: JobPosition;
}

/** Where a job set stands. */
export interface JobSetMoment {
  readonly now: RedisTime;
  /** These are left out where the job set has no keys: nobody has followed it yet, or it expired. */
  readonly position?: JobSetPosition;
  readonly subscription?: SubscriptionView;
  readonly cursor?: Cursor;
}

export interface ChangeListener {
  notice(notice: ChangeNotice): void;
  /** Notices may have been lost, and none may come any more: the connection was. Renew the subscription. */
  interrupted(): void;
}

export interface ChangeSubscription {
  /** Subscribes once more, where notices do not come although there are some. Resolves once they come; rejects where Redis does not confirm it. */
  renew(): Promise<void>;
  close(): void;
}

/** Every write of a job set is published for so long after {@link JobSetChanges.watch}. */
export const WATCHED_FOR_MS = 15_000;

/**
 * The changes of job sets: as notices while they happen, and by reading what is newer than a revision. Whoever subscribes, then calls
 * {@link watch}, then reads what is newer than it knows, and from then on follows the notices, misses nothing. Notices may be lost: each
 * names the revision before it, and where it stands shows whether one came.
 */
export interface JobSetChanges {
  /** Resolves once notices come, in the order of the writes. One subscription of a process for each job set at a time. */
  subscribe(key: JobSetKey, listener: ChangeListener): Promise<ChangeSubscription>;
  /** Has writes from now on published, for {@link WATCHED_FOR_MS}, and resolves to where the job set stands now. */
  watch(key: JobSetKey): Promise<JobSetMoment>;
  /**
   * Jobs that changed after a revision (-1: all jobs), in the order in which jobs are listed, some hundreds at a time. Every job that changed
   * last up to the revision of the first page has come after the last one. A job may also come with a greater revision: it changed while
   * pages were read. `undefined`: the job set has another generation, or none. Throws RangeError where `from` is not a position of this store.
   * @param from Left out: the beginning. After a job: its {@link positionOf}
   */
  readChanges(
    key: JobSetKey,
    generation: Generation,
    after: number,
    from?: JobPosition,
  ): Promise<ChangesPage | undefined>;
}
