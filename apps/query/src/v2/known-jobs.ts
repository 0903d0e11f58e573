import { isTerminal, msBetween, type MonotonicTime } from '@ajs/job-state';
import type { JobStatus, JobVersion } from '@ajs/job-store';
import type { JobSetTag } from '@ajs/redis-keys';
import { encodeRef, type EncodedRef } from '@ajs/wire-mapping';
import { LRUCache } from 'lru-cache';
import type { RequestedJob } from './requests.js';

/**
 * How long a job that has ended is answered without being read: the id of its latest run, and why it was cancelled in full, may become known
 * after its end. Milliseconds.
 */
const KEPT_MS = 60_000;
/** On average for a job, texts of usual length included. */
const BYTES_PER_JOB = 1_024;
/** What an entry takes beside its texts and what is encoded: objects, and its places in the cache. */
const ENTRY_BYTES = 500;

/** A job as it was shown last. Only what its stream has shown: what else there is changes without the job. */
export interface ShownJob {
  /** The job set that it was read in. Whoever is shown it must be allowed to see that. */
  readonly tag: JobSetTag;
  readonly status: Pick<JobStatus, 'state' | 'changedAt'>;
  readonly version: JobVersion;
  readonly readAt: MonotonicTime;
  /** The `JobResult`, for the ref that it was requested by, without its freshness. */
  readonly encoded: Uint8Array;
}

/** A job that was requested before, by the same ref. */
export interface KnownJob extends RequestedJob {
  readonly shown: ShownJob;
}

/** The jobs that are requested again and again, by the bytes of their refs: these need not be decoded, nor what they are shown as encoded. */
export class KnownJobs {
  private readonly jobs: LRUCache<EncodedRef, KnownJob>;

  /**
   * @param max the most jobs that are kept (`TERMINAL_CACHE_JOBS`), fewer where they take more than 1 KiB on average; those not requested for
   *   the longest time go first
   */
  constructor(max: number) {
    this.jobs = new LRUCache({ max, maxSize: max * BYTES_PER_JOB, sizeCalculation: sizeOf });
  }

  readonly find = (ref: EncodedRef): KnownJob | undefined => this.jobs.get(ref);

  /** Under the bytes that clients send for the ref: it can be encoded in countless ways, which would take room each. */
  keep({ ref, jobId, key, tag }: RequestedJob, shown: ShownJob): void {
    this.jobs.set(encodeRef(ref), { ref, jobId, shown, ...(key !== undefined && { key, tag }) });
  }
}

/** Whether a job that was shown need not be read to be shown again. */
export function isSettled({ status, readAt }: ShownJob, now: MonotonicTime): boolean {
  return isTerminal(status.state) && msBetween(readAt, now) < KEPT_MS;
}

function sizeOf({ shown }: KnownJob, ref: EncodedRef): number {
  return ENTRY_BYTES + 2 * ref.length + shown.encoded.length + shown.version.size;
}
