import type { JobId, JobSetKey } from '@ajs/job-state';
import type { JobSetTag } from '@ajs/redis-keys';
import type { Caller } from '../caller.js';
import type { NoteInterest } from '../interest/note-interest.js';
import type { ReportRecorder } from '../upstream/report-recorder.js';
import type { ReportedJobs } from '../upstream/reported-jobs.js';

/** What it takes to read jobs of a job set that is named with them: to have it followed, to wait for its stream, and to ask Armada. */
export interface JobReadOptions {
  readonly noteInterest: NoteInterest;
  /** Why the job set will not be followed for this caller, if it will not. */
  readonly refusalOf: (tag: JobSetTag, caller: Caller) => string | undefined;
  /** Requests a read of the job set from its owner. */
  readonly requestRead: (key: JobSetKey) => void;
  /** Looks jobs up in Armada's `api.Jobs`. */
  readonly reportedJobs: Pick<ReportedJobs, 'lookUp' | 'lookUpAll'>;
  readonly recorder: Pick<ReportRecorder, 'settle'>;
  /** A requested job has a record that this version cannot read. */
  readonly unreadableRecord: (jobId: JobId, reason: string) => void;
  /** How long a read of a job that has no record waits for the stream to settle it. Milliseconds. */
  readonly waitMs: number;
  /** A job younger than this is never absent. Milliseconds. */
  readonly notFoundGraceMs: number;
  /** How long the stream may take to show a provisional job. Milliseconds. */
  readonly provisionalGraceMs: number;
  /** Waits within the work on a call. May reject. */
  readonly pause: (caller: Caller, ms: number) => Promise<void>;
  /** As {@link pause}, until `work` has its result. */
  readonly waiting: <T>(caller: Caller, work: () => Promise<T>) => Promise<T>;
}

/** How long a read pauses before it looks again, the first time and at most: twice as long each time. Milliseconds. */
export const FIRST_RETRY_MS = 15;
export const MAX_RETRY_MS = 200;
