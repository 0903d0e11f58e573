import type { JobId } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';

/** Follows jobs. */
export interface JobListener {
  /**
   * Called with a job as it is soon after listening to it began, if it exists, and whenever it changes. After trouble it may come as it came
   * before, or with several changes at once; the last one is never missed.
   */
  job(job: ChangedJob): void;
}

/** Who listens to which jobs. Nearly every job has one listener, which takes one entry of a map: there may be hundreds of thousands. */
export class JobListeners {
  private readonly listeners = new Map<JobId, JobListener | Set<JobListener>>();

  get isEmpty(): boolean {
    return this.listeners.size === 0;
  }

  has(jobId: JobId): boolean {
    return this.listeners.has(jobId);
  }

  jobIds(): Iterable<JobId> {
    return this.listeners.keys();
  }

  /** A listener that listens to the job already is called once all the same. */
  add(jobId: JobId, listener: JobListener): void {
    const others = this.listeners.get(jobId);
    if (others === undefined) this.listeners.set(jobId, listener);
    else if (others instanceof Set) others.add(listener);
    else if (others !== listener) this.listeners.set(jobId, new Set([others, listener]));
  }

  delete(jobId: JobId, listener: JobListener): void {
    const all = this.listeners.get(jobId);
    if (all instanceof Set) {
      all.delete(listener);
      if (all.size === 0) this.listeners.delete(jobId);
    } else if (all === listener) this.listeners.delete(jobId);
  }

  /** Calls those who listen now: listening may end meanwhile, and begin. */
  tell(job: ChangedJob): void {
    const listeners = this.listeners.get(job.jobId);
    if (listeners instanceof Set) for (const listener of Array.from(listeners)) listener.job(job);
    else listeners?.job(job);
  }
}
