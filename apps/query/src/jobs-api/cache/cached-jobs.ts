import { isTerminal, type JobSetKey, type JobId } from '@ajs/job-state';
import type { DetailedJob, JobDetailsLister, JobLister, JobSetView, JobStatus } from '@ajs/job-store';
import type { LRUCache } from 'lru-cache';
import { jobSetTag } from '@ajs/redis-keys';
import { requirePermission, type JobPermissions } from '../../access/job-permissions.js';
import type { NoteInterest } from '../../interest/note-interest.js';
import { fromRedis } from '../../store/redis-read.js';
import type { ReportRecorder } from '../../upstream/report-recorder.js';
import { groupByJobSet } from '../../store/group-by-job-set.js';

/** How the job set stood when the job was read. */
type Moment = Pick<JobSetView, 'now' | 'subscription'>;

export interface CachedJob {
  readonly key: JobSetKey;
  readonly status: JobStatus;
  readonly moment: Moment;
}

export interface CachedDetails {
  readonly key: JobSetKey;
  readonly job: DetailedJob;
  readonly moment: Moment;
}

/** What the cache holds of the requested jobs. */
export interface CachedJobSelection<Job> {
  readonly jobs: ReadonlyMap<JobId, Job>;
  /** Jobs with a record that this version cannot read, with the reason; not among {@link jobs}. */
  readonly unreadable: ReadonlyMap<JobId, string>;
}

export interface CachedJobsOptions {
  readonly lister: JobLister & JobDetailsLister;
  readonly recorder: Pick<ReportRecorder, 'settle'>;
  readonly noteInterest: NoteInterest;
  readonly unreadableRecord: (jobId: JobId, reason: string) => void;
  /** Terminal jobs by id: nothing of them changes any more. */
  readonly terminalJobs: LRUCache<JobId, CachedJob>;
}

/**
 * Reads cached jobs by id alone: each is located first, then read in its job set, all job sets at the same time. Each job set that the
 * caller may see counts as polled. Rejects with RedisReadError, and with PERMISSION_DENIED before anything is read of a job that
 * the caller may not see.
 */
export class CachedJobs {
  constructor(private readonly options: CachedJobsOptions) {}

  /** The jobs that have a record. */
  async states(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
  ): Promise<CachedJobSelection<CachedJob>> {
    const { recorder, terminalJobs, noteInterest } = this.options;
    await recorder.settle(jobIds);
    const jobs = new Map<JobId, CachedJob>();
    const toRead: JobId[] = [];
    for (const jobId of jobIds) {
      const job = terminalJobs.get(jobId);
      if (job === undefined) toRead.push(jobId);
      else jobs.set(jobId, job);
    }
    await requirePermission(permissions, jobs, ({ key }) => key.queue);
    for (const { key } of jobs.values()) noteInterest(key, jobSetTag(key));
    const unreadable = await this.inEachJobSet(toRead, permissions, (key, ids) =>
      this.readStates(key, ids, jobs),
    );
    return { jobs, unreadable };
  }

  /** As {@link states}, of jobs that are known to be in this job set: for a caller who may see them, and has polled it. */
  async statesIn(key: JobSetKey, jobIds: readonly JobId[]): Promise<CachedJobSelection<CachedJob>> {
    const jobs = new Map<JobId, CachedJob>();
    if (jobIds.length === 0) return { jobs, unreadable: new Map() };
    await this.options.recorder.settle(jobIds);
    const reasons = await this.readStates(key, jobIds, jobs);
    return { jobs, unreadable: this.reportUnreadable(jobIds, reasons) };
  }

  /** As {@link states}, with their whole records and enrichment. */
  async details(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
  ): Promise<CachedJobSelection<CachedDetails>> {
    await this.options.recorder.settle(jobIds);
    const jobs = new Map<JobId, CachedDetails>();
    const unreadable = await this.inEachJobSet(jobIds, permissions, async (key, ids) => {
      const view = await fromRedis(this.options.lister.readDetails(key, ids));
      for (const [jobId, job] of view.jobs) jobs.set(jobId, { key, job, moment: view });
      return view.unreadable;
    });
    return { jobs, unreadable };
  }

  /** Resolves to the unreadable ones among the jobs. */
  private async inEachJobSet(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    read: (key: JobSetKey, ids: readonly JobId[]) => Promise<JobSetView['unreadable']>,
  ): Promise<Map<JobId, string>> {
    const unreadable = new Map<JobId, string>();
    if (jobIds.length === 0) return unreadable;
    const { lister, noteInterest } = this.options;
    const located = await fromRedis(lister.locate(jobIds));
    await requirePermission(permissions, located, ({ queue }) => queue);
    const jobSets = groupByJobSet(Array.from(located, ([jobId, key]) => [key, jobId] as const));
    await Promise.all(
      jobSets.map(async ({ key, tag, items }) => {
        noteInterest(key, tag);
        const reasons = this.reportUnreadable(items, await read(key, items));
        for (const [jobId, reason] of reasons) unreadable.set(jobId, reason);
      }),
    );
    return unreadable;
  }

  /** Adds the jobs that have a record to `jobs`; resolves to why those of others cannot be read. */
  private async readStates(
    key: JobSetKey,
    jobIds: readonly JobId[],
    jobs: Map<JobId, CachedJob>,
  ): Promise<JobSetView['unreadable']> {
    const { lister, terminalJobs } = this.options;
    const view = await fromRedis(lister.read(key, jobIds));
    for (const jobId of jobIds) {
      const status = view.jobs.get(jobId);
      if (status === undefined) continue;
      jobs.set(jobId, { key, status, moment: view });
      // The stream still adds to an end that was reported.
      if (isTerminal(status.state) && !status.reported)
        terminalJobs.set(jobId, { key, status, moment: { now: view.now } });
    }
    return view.unreadable;
  }

  /** Returns the unreadable ones among the jobs. */
  private reportUnreadable(jobIds: readonly JobId[], reasons: JobSetView['unreadable']): Map<JobId, string> {
    const unreadable = new Map<JobId, string>();
    for (const jobId of jobIds) {
      const reason = reasons.get(jobId);
      if (reason === undefined) continue;
      unreadable.set(jobId, reason);
      this.options.unreadableRecord(jobId, reason);
    }
    return unreadable;
  }
}
