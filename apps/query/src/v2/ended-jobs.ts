import { Job } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobId } from '@ajs/job-state';
import type { JobSetTag } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';

/** How long a job is kept: the id of its latest run, and why it was cancelled in full, may become known after its end. Milliseconds. */
const KEPT_MS = 60_000;
/** Of a job, on average; longer ones leave room for fewer. */
const BYTES_PER_JOB = 1_024;

interface EndedJob {
  readonly tag: JobSetTag;
  readonly encoded: Uint8Array;
}

/** Jobs that have ended, encoded as `jobservice.v2` shows them. Whoever asks for one must be allowed to see its job set. */
export class EndedJobs {
  private readonly jobs: LRUCache<JobId, EndedJob>;

  /** @param max the most jobs that are kept (`TERMINAL_CACHE_JOBS`), of 1 KiB each; those not seen for the longest time go first */
  constructor(max: number) {
    this.jobs = new LRUCache({
      max,
      ttl: KEPT_MS,
      maxSize: max * BYTES_PER_JOB,
      sizeCalculation: ({ encoded }) => encoded.length,
    });
  }

  /** Those of the jobs that are known to have ended in this job set. One that ended in another is no business of the caller's. */
  of(tag: JobSetTag, jobIds: readonly JobId[]): ReadonlyMap<JobId, Uint8Array> {
    const found = new Map<JobId, Uint8Array>();
    for (const jobId of jobIds) {
      const job = this.jobs.get(jobId);
      if (job?.tag === tag) found.set(jobId, job.encoded);
    }
    return found;
  }

  add(tag: JobSetTag, jobId: JobId, job: Job): void {
    this.jobs.set(jobId, { tag, encoded: Job.encode(job).finish() });
  }
}
