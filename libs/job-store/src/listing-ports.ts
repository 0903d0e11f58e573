import type { ArmadaTime, Brand, Cursor, JobId, JobSetKey, JobState, RedisTime } from '@ajs/job-state';
import type { Generation } from '@ajs/redis-keys';
import type { DetailedJob, SubscriptionView } from './ports.js';

/** How a job set stands as a whole. */
export interface JobSetSummary {
  /** When this was read. */
  readonly now: RedisTime;
  readonly subscription: SubscriptionView;
  readonly cursor: Cursor;
  /** How many jobs are in each state; states that no job is in, and those of a newer version, are left out. */
  readonly counts: ReadonlyMap<JobState, number>;
  /** Whether an owner wrote it lately, or is not due to yet. */
  readonly isFollowed: boolean;
  /** The replica that took it up last. Left out where an older version did. */
  readonly owner?: string;
  /** When its first life began, as far as is known. */
  readonly firstSeenAt?: RedisTime;
  /** The time of the latest event in a batch that changed jobs. */
  readonly lastChangeAt?: ArmadaTime;
}

/** A place in the order in which the jobs of one generation are listed. For the store that gave it. */
export type JobPosition = Brand<'JobPosition'>;

/** Says of a text that a store gave it as a position. */
export function JobPosition(text: string): JobPosition {
  return text as JobPosition;
}

export interface JobPageRequest {
  /** Left out: the present one. */
  readonly generation?: Generation;
  /** Where the page before ended. Left out: at the beginning. */
  readonly after?: JobPosition;
  /** Left out: all states. */
  readonly states?: ReadonlySet<JobState>;
  /** The most jobs of the page. */
  readonly limit: number;
}

/** Some jobs of a job set. */
export interface JobPage {
  /** When this was read. */
  readonly now: RedisTime;
  readonly generation: Generation;
  readonly subscription: SubscriptionView;
  readonly cursor: Cursor;
  /** Those that can be read. Perhaps none, though more follow: only so many jobs are looked through for those in certain states. */
  readonly jobs: ReadonlyMap<JobId, DetailedJob>;
  /** Left out where no jobs follow. */
  readonly next?: JobPosition;
}

/** Where readers ask for whole job sets. No write. */
export interface JobSetLister {
  /** In the order of the question; `undefined` for a job set that has no keys. */
  describe(keys: readonly JobSetKey[]): Promise<(JobSetSummary | undefined)[]>;
  /**
   * The jobs of a job set, page by page, at the cost of what the page holds. A job that is there from the first page to the last is listed
   * exactly once, however many change or come meanwhile. `other-generation`: the job set was begun anew; `undefined`: it has no keys.
   * Throws RangeError where a position is not one that this store gave.
   */
  listJobs(key: JobSetKey, request: JobPageRequest): Promise<JobPage | 'other-generation' | undefined>;
}
