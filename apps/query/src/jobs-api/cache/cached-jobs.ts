import type { JobState } from '@ajs/contracts/api/submit';
import { isTerminal, type JobSetKey, type JobId } from '@ajs/job-state';
import type { DetailedJob, JobDetailsLister, JobLister, JobSetView, JobStatus } from '@ajs/job-store';
import { toApiJobState } from '@ajs/wire-mapping';
import type { LRUCache } from 'lru-cache';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { requirePermission, type JobPermissions } from '../../access/job-permissions.js';
import type { NoteInterest } from '../../interest/note-interest.js';
import { canServeFromCache } from '../../store/can-serve-from-cache.js';
import { JobSetGroups, type JobSetGroup } from '../../store/group-by-job-set.js';
import { fromRedis } from '../../store/redis-read.js';
import type { ReportRecorder } from '../../upstream/report-recorder.js';

const NONE: ReadonlyMap<JobId, string> = new Map();

/** What is cached of a job's state. Jobs that have it in common share one object. */
export interface CachedJob {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly state: JobState;
  /** The stream has not shown the job yet. */
  readonly isProvisional: boolean;
  /** Whether the state may be the whole answer; if not, Armada's own `api.Jobs` is asked ({@link canServeFromCache}). */
  readonly isWhole: boolean;
}

export interface CachedStates {
  /** Each job at the place of its id; `undefined` for those that have no record, or one that this version cannot read. */
  readonly jobs: readonly (CachedJob | undefined)[];
  /** Jobs with a record that this version cannot read, with the reason. */
  readonly unreadable: ReadonlyMap<JobId, string>;
}

export interface CachedDetails {
  readonly key: JobSetKey;
  readonly job: DetailedJob;
  /** How the job set stood when the job was read. */
  readonly moment: Pick<JobSetView, 'now' | 'subscription'>;
}

/** What the cache holds of the requested jobs. */
export interface CachedDetailsSelection {
  readonly jobs: ReadonlyMap<JobId, CachedDetails>;
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
  /** How long the stream may take to show a provisional job. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/**
 * Reads cached jobs by id alone: each is located first, then read in its job set, all job sets at the same time. Each job set that the
 * caller may see counts as polled. Rejects with RedisReadError, and with PERMISSION_DENIED before anything is read of a job that
 * the caller may not see.
 *
 * What depends on the job set alone is done once for each of them: a call may have a thousand ids.
 */
export class CachedJobs {
  constructor(private readonly options: CachedJobsOptions) {}

  /** An id may come several times. */
  async states(jobIds: readonly JobId[], permissions: JobPermissions): Promise<CachedStates> {
    const jobs = await this.ended(jobIds, permissions);
    const toRead = jobIds.filter((_, i) => jobs[i] === undefined);
    const read = new Map<JobId, CachedJob>();
    const unreadable = await this.inEachJobSet(toRead, permissions, (jobSet) =>
      this.readStates(jobSet, read),
    );
    return { jobs: jobIds.map((jobId, i) => jobs[i] ?? read.get(jobId)), unreadable };
  }

  /** As the jobs of {@link states}, but only those that are in memory since they have ended: Redis is not read. */
  async ended(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
  ): Promise<readonly (CachedJob | undefined)[]> {
    const { terminalJobs, noteInterest } = this.options;
    const polled = new Map<JobSetTag, { readonly key: JobSetKey; readonly jobId: JobId }>();
    let previous: JobSetKey | undefined;
    const jobs = jobIds.map((jobId) => {
      const job = terminalJobs.get(jobId);
      if (job !== undefined && job.key !== previous) {
        previous = job.key;
        polled.set(job.tag, { key: job.key, jobId });
      }
      return job;
    });
    const queues = Array.from(polled.values(), ({ key: { queue }, jobId }) => [jobId, queue] as const);
    await requirePermission(permissions, queues, (queue) => queue);
    for (const [tag, { key }] of polled) noteInterest(key, tag);
    return jobs;
  }

  /** As {@link states}, of jobs that are known to be in this job set: for a caller who may see them, and has polled it. */
  async statesIn(key: JobSetKey, jobIds: readonly JobId[]): Promise<CachedStates> {
    if (jobIds.length === 0) return { jobs: [], unreadable: NONE };
    const read = new Map<JobId, CachedJob>();
    const unreadable = await this.readStates({ key, tag: jobSetTag(key), items: jobIds }, read);
    return { jobs: jobIds.map((jobId) => read.get(jobId)), unreadable };
  }

  /** As {@link states}, with their whole records and enrichment. */
  async details(jobIds: readonly JobId[], permissions: JobPermissions): Promise<CachedDetailsSelection> {
    const jobs = new Map<JobId, CachedDetails>();
    const unreadable = await this.inEachJobSet(jobIds, permissions, async ({ key, items }) => {
      await this.options.recorder.settle(items);
      const view = await fromRedis(this.options.lister.readDetails(key, items));
      for (const [jobId, job] of view.jobs) jobs.set(jobId, { key, job, moment: view });
      return this.reportUnreadable(items, view);
    });
    return { jobs, unreadable };
  }

  /** Resolves to the unreadable ones among the jobs. */
  private async inEachJobSet(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    read: (jobSet: JobSetGroup<JobId>) => Promise<ReadonlyMap<JobId, string>>,
  ): Promise<ReadonlyMap<JobId, string>> {
    if (jobIds.length === 0) return NONE;
    const { lister, recorder, noteInterest } = this.options;
    // Else a job that callers were told of without Redis would not be located.
    await recorder.settle(jobIds);
    const groups = new JobSetGroups<JobId>();
    (await fromRedis(lister.locate(jobIds))).forEach((key, jobId) => groups.add(key, jobId));
    const jobSets = groups.all();
    const queues = jobSets.map(({ key, items: [jobId] }) => [jobId ?? '', key.queue] as const);
    await requirePermission(permissions, queues, (queue) => queue);
    const unreadable = new Map<JobId, string>();
    await Promise.all(
      jobSets.map(async (jobSet) => {
        noteInterest(jobSet.key, jobSet.tag);
        for (const [jobId, reason] of await read(jobSet)) unreadable.set(jobId, reason);
      }),
    );
    return unreadable;
  }

  /** Adds the jobs that have a record to `jobs`; resolves to the unreadable ones. */
  private async readStates(
    { key, tag, items }: JobSetGroup<JobId>,
    jobs: Map<JobId, CachedJob>,
  ): Promise<ReadonlyMap<JobId, string>> {
    const { lister, recorder, terminalJobs, provisionalGraceMs } = this.options;
    await recorder.settle(items);
    const view = await fromRedis(lister.read(key, items));
    /** By state: what holds for one job that its stream has shown so holds for all of them. */
    const shown = new Map<JobStatus['state'], CachedJob>();
    for (const jobId of items) {
      const status = view.jobs.get(jobId);
      if (status === undefined) continue;
      const isShown = !status.provisional && !status.reported;
      let job = isShown ? shown.get(status.state) : undefined;
      if (job === undefined) {
        job = {
          key,
          tag,
          state: toApiJobState(status),
          isProvisional: status.provisional === true,
          isWhole: canServeFromCache(status, view, provisionalGraceMs),
        };
        if (isShown) shown.set(status.state, job);
      }
      jobs.set(jobId, job);
      // The stream still adds to an end that was reported.
      if (isTerminal(status.state) && !status.reported) terminalJobs.set(jobId, job);
    }
    return this.reportUnreadable(items, view);
  }

  /** Returns the unreadable ones among the jobs: the view may have others, too. */
  private reportUnreadable(
    jobIds: readonly JobId[],
    { unreadable: reasons }: Pick<JobSetView, 'unreadable'>,
  ): ReadonlyMap<JobId, string> {
    if (reasons.size === 0) return NONE;
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
