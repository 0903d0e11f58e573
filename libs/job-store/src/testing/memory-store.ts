import {
  Cursor,
  RedisTime,
  msBetween,
  report,
  type JobEnrichment,
  type JobId,
  type JobRecord,
  type JobReport,
  type JobSetKey,
  type JobState,
} from '@ajs/job-state';
import { jobSetTag, type Generation, type JobSetTag } from '@ajs/redis-keys';
import type {
  ChangeListener,
  ChangeSubscription,
  ChangesPage,
  JobSetChanges,
  JobSetMoment,
} from '../change-ports.js';
import { toProvisionalRecord } from '../codec/provisional-record.js';
import { jobStatus } from '../job-status.js';
import type { JobPage, JobPageRequest, JobPosition, JobSetLister, JobSetSummary } from '../listing-ports.js';
import type {
  Batch,
  JobDetailsLister,
  JobLister,
  JobSetDetails,
  JobSetLife,
  JobSetView,
  JobSetWriter,
  JobSink,
  JobStatus,
  JobVersion,
  ProvisionalJob,
  ProvisionalJobSink,
} from '../ports.js';
import { MemoryJobSetWriter } from './memory-job-set-writer.js';
import { MemoryJobSet, isSeen } from './memory-job-set.js';

/**
 * The store's contract in its plainest form, in the memory of one process: what the store over Redis is compared with,
 * and what tests of other parts may stand on.
 */
export class MemoryJobStore
  implements JobSink, JobLister, ProvisionalJobSink, JobDetailsLister, JobSetLister, JobSetLife, JobSetChanges
{
  private readonly jobSets = new Map<JobSetTag, MemoryJobSet>();
  private readonly index = new Map<JobId, JobSetKey>();
  private readonly listeners = new Map<JobSetTag, ChangeListener>();

  private readonly now: () => RedisTime;

  /** @param nowMs The clock, of this process and of the store alike. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.now = () => RedisTime(nowMs());
  }

  open(key: JobSetKey): Promise<JobSetWriter> {
    const writer = new MemoryJobSetWriter(key, this.takeUp(jobSetTag(key)), {
      now: this.now,
      isPresent: (of, jobSet) => this.jobSets.get(jobSetTag(of)) === jobSet,
      write: (of, jobSet, batch) => this.write(of, jobSet, batch),
    });
    return Promise.resolve(writer);
  }

  addProvisionalJobs(key: JobSetKey, jobs: readonly ProvisionalJob[]): Promise<void> {
    const tag = jobSetTag(key);
    const own = jobs.filter(({ jobId }) => jobSetTag(this.index.get(jobId) ?? key) === tag);
    if (own.length === 0) return Promise.resolve();
    const jobSet = this.takeUp(tag);
    const before = jobSet.records.size;
    for (const job of own) {
      this.index.set(job.jobId, key);
      if (!jobSet.records.has(job.jobId)) jobSet.put(job.jobId, toProvisionalRecord(job));
      if (job.externalUri !== undefined) jobSet.submittedUris.set(job.jobId, job.externalUri);
    }
    if (jobSet.records.size > before) this.raise(tag, jobSet);
    return Promise.resolve();
  }

  report(key: JobSetKey, reports: ReadonlyMap<JobId, JobReport>): Promise<ReadonlyMap<JobId, JobStatus>> {
    const tag = jobSetTag(key);
    const jobSet = this.takeUp(tag);
    const held = new Map<JobId, JobStatus>();
    let changed = 0;
    for (const [jobId, reported] of reports) {
      if (jobSet.unreadable.has(jobId)) continue;
      const before = jobSet.records.get(jobId);
      const after = report(before, reported);
      if (after !== before) {
        this.index.set(jobId, key);
        jobSet.putReported(jobId, after, this.now());
        changed++;
      }
      held.set(jobId, jobStatus(after, jobSet.revisions.get(jobId)));
    }
    if (changed > 0) this.raise(tag, jobSet);
    return Promise.resolve(held);
  }

  addEnrichment(key: JobSetKey, enrichment: ReadonlyMap<JobId, JobEnrichment>): Promise<void> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    for (const [jobId, enriched] of enrichment) {
      if (jobSet?.records.has(jobId))
        jobSet.enrichment.set(jobId, { ...jobSet.enrichment.get(jobId), ...enriched });
    }
    return Promise.resolve();
  }

  readDetails(
    key: JobSetKey,
    jobIds: readonly JobId[],
    seen: readonly (JobVersion | undefined)[] = [],
  ): Promise<JobSetDetails> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    const view = this.view(key, jobIds, (record, jobId, held) => held.read(jobId, record));
    const isAsSeen = (jobId: JobId, i: number): boolean => isSeen(seen[i], view.jobs.get(jobId));
    const unchanged = new Set(jobIds.filter(isAsSeen));
    const changed = new Set(jobIds.filter((jobId, i) => !isAsSeen(jobId, i)));
    for (const jobId of unchanged) if (!changed.has(jobId)) view.jobs.delete(jobId);
    return Promise.resolve({
      cursor: jobSet?.cursor ?? Cursor(''),
      ...(jobSet !== undefined && { generation: jobSet.generation }),
      unchanged,
      ...view,
    });
  }

  readUri(
    key: JobSetKey,
    externalUri: string,
  ): Promise<{ readonly submitted: readonly JobId[]; readonly annotated: readonly JobId[] }> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    const submitted = Array.from(jobSet?.submittedUris ?? [])
      .filter(([, uri]) => uri === externalUri)
      .map(([jobId]) => jobId);
    const annotated = Array.from(jobSet?.records ?? [])
      .filter(([, record]) => record.externalUri === externalUri)
      .map(([jobId]) => jobId);
    return Promise.resolve({ submitted, annotated });
  }

  read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    return Promise.resolve(
      this.view(key, jobIds, (record, jobId, { revisions }) => jobStatus(record, revisions.get(jobId) ?? 0)),
    );
  }

  describe(keys: readonly JobSetKey[]): Promise<(JobSetSummary | undefined)[]> {
    const now = this.now();
    return Promise.resolve(keys.map((key) => this.jobSets.get(jobSetTag(key))?.summary(now)));
  }

  listJobs(key: JobSetKey, request: JobPageRequest): Promise<JobPage | 'other-generation' | undefined> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    const isOther = request.generation !== undefined && request.generation !== jobSet?.generation;
    if (jobSet !== undefined && isOther) return Promise.resolve('other-generation');
    return Promise.resolve(jobSet?.page(request, this.now()));
  }

  /** Makes a job's record one that a newer version wrote: readers are given the reason. */
  makeUnreadable(key: JobSetKey, jobId: JobId, reason: string): void {
    this.takeUp(jobSetTag(key)).unreadable.set(jobId, reason);
  }

  locate(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobSetKey>> {
    return Promise.resolve(
      new Map(
        jobIds.flatMap((jobId) => {
          const key = this.index.get(jobId);
          return key === undefined ? [] : [[jobId, key] as const];
        }),
      ),
    );
  }

  touch(key: JobSetKey): Promise<boolean> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet !== undefined) jobSet.interestAt = this.now();
    return Promise.resolve(jobSet !== undefined);
  }

  unfinished(key: JobSetKey): Promise<number | undefined> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    const isEmpty = jobSet === undefined || jobSet.records.size === 0;
    return Promise.resolve(isEmpty ? undefined : jobSet.unfinished);
  }

  /** How many jobs are in each state. */
  counts(key: JobSetKey): Partial<Record<JobState, number>> {
    return this.jobSets.get(jobSetTag(key))?.counts ?? {};
  }

  remove(key: JobSetKey, idleMs: number): Promise<boolean> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet === undefined || msBetween(jobSet.interestAt, this.now()) < idleMs)
      return Promise.resolve(false);
    for (const jobId of jobSet.records.keys()) this.index.delete(jobId);
    return Promise.resolve(this.jobSets.delete(jobSetTag(key)));
  }

  subscribe(key: JobSetKey, listener: ChangeListener): Promise<ChangeSubscription> {
    const tag = jobSetTag(key);
    this.listeners.set(tag, listener);
    return Promise.resolve({
      renew: () => Promise.resolve(),
      close: () => {
        if (this.listeners.get(tag) === listener) this.listeners.delete(tag);
      },
    });
  }

  watch(key: JobSetKey): Promise<JobSetMoment> {
    const now = this.now();
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet === undefined) return Promise.resolve({ now });
    const { generation, revision, cursor } = jobSet;
    return Promise.resolve({
      now,
      cursor,
      position: { generation, revision },
      subscription: jobSet.subscription(now),
    });
  }

  readChanges(
    key: JobSetKey,
    generation: Generation,
    after: number,
    from?: JobPosition,
  ): Promise<ChangesPage | undefined> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet?.generation !== generation) return Promise.resolve(undefined);
    return Promise.resolve({ revision: jobSet.revision, jobs: jobSet.changedJobs(after, from) });
  }

  /** Ends a write that has changed something. */
  private raise(tag: JobSetTag, jobSet: MemoryJobSet): void {
    const { generation, revision: previous } = jobSet;
    const revision = ++jobSet.revision;
    this.listeners.get(tag)?.notice({ generation, previous, revision, jobs: jobSet.changedJobs(previous) });
  }

  private view<T>(
    key: JobSetKey,
    jobIds: readonly JobId[],
    toView: (record: JobRecord, jobId: JobId, jobSet: MemoryJobSet) => T,
  ): Omit<JobSetView, 'jobs'> & { readonly jobs: Map<JobId, T> } {
    const now = this.now();
    const jobSet = this.jobSets.get(jobSetTag(key));
    const jobs = new Map<JobId, T>();
    const unreadable = new Map<JobId, string>();
    if (jobSet === undefined) return { now, jobs, unreadable };
    for (const jobId of jobIds) {
      const record = jobSet.records.get(jobId);
      const reason = jobSet.unreadable.get(jobId);
      if (reason !== undefined) unreadable.set(jobId, reason);
      else if (record !== undefined) jobs.set(jobId, toView(record, jobId, jobSet));
    }
    return { now, subscription: jobSet.subscription(now), jobs, unreadable };
  }

  private takeUp(tag: JobSetTag): MemoryJobSet {
    const jobSet = this.jobSets.get(tag) ?? new MemoryJobSet(this.now());
    this.jobSets.set(tag, jobSet);
    return jobSet;
  }

  private write(key: JobSetKey, jobSet: MemoryJobSet, batch: Batch): void {
    for (const jobId of batch.records.keys()) this.index.set(jobId, key);
    jobSet.apply(batch, this.now());
    this.raise(jobSetTag(key), jobSet);
  }
}
