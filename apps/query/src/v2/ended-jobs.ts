import { Job } from '@ajs/contracts/jobservice/v2/job_status_service';
import { addMs, type JobId, type MonotonicTime } from '@ajs/job-state';
import type { JobSetTag } from '@ajs/redis-keys';
import { monotonicNow } from '@ajs/platform';
import { LRUCache } from 'lru-cache';

/** How long a job is kept: the id of its latest run, and why it was cancelled in full, may become known after its end. Milliseconds. */
const KEPT_MS = 60_000;

interface EndedJob {
  readonly tag: JobSetTag;
  readonly encoded: Uint8Array;
  readonly keptUntil: MonotonicTime;
}

/** Jobs that have ended, encoded as `jobservice.v2` shows them. Whoever asks for one must be allowed to see its job set. */
export class EndedJobs {
  private readonly jobs: LRUCache<JobId, EndedJob>;

  /**
   * @param max the most jobs that are kept (`TERMINAL_CACHE_JOBS`), some hundred bytes each, with the longest texts 10 KiB; those not seen
   *   for the longest time go first
   */
  constructor(
    max: number,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {
    this.jobs = new LRUCache({ max });
  }

  /** Those of the jobs that are known to have ended in this job set. One that ended in another is no business of the caller's. */
  of(tag: JobSetTag, jobIds: readonly JobId[]): ReadonlyMap<JobId, Uint8Array> {
    const now = this.now();
    const found = new Map<JobId, Uint8Array>();
    for (const jobId of jobIds) {
      const job = this.jobs.get(jobId);
      if (job?.tag === tag && job.keptUntil > now) found.set(jobId, job.encoded);
    }
    return found;
  }

  add(tag: JobSetTag, jobId: JobId, job: Job): void {
    this.jobs.set(jobId, { tag, encoded: Job.encode(job).finish(), keptUntil: addMs(this.now(), KEPT_MS) });
  }
}
