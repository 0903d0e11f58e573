import { randomBytes } from 'node:crypto';
import {
  Cursor,
  RedisTime,
  isTerminal,
  laterOf,
  msBetween,
  report,
  toMs,
  earlierOf,
  type ArmadaTime,
  type JobEnrichment,
  type JobRecord,
  type JobReport,
  type JobSetKey,
  type JobState,
  type MonotonicTime,
  type JobId,
} from '@ajs/job-state';
import { Generation, jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import type {
  ChangeListener,
  ChangeSubscription,
  ChangedJob,
  ChangesPage,
  JobSetChanges,
  JobSetMoment,
} from '../change-ports.js';
import { packJobId } from '../codec/job-id-codec.js';
import { BEGINNING, comparePlaces, parsePosition, placeOf } from '../codec/job-place.js';
import { toProvisionalRecord } from '../codec/provisional-record.js';
import { StaleWriterError } from '../errors.js';
import { eventLagMs, isAheadOfStream } from '../event-lag.js';
import { jobStatus } from '../job-status.js';
import {
  JobPosition,
  type JobPage,
  type JobPageRequest,
  type JobSetLister,
  type JobSetSummary,
} from '../listing-ports.js';
import {
  type Batch,
  type DetailedJob,
  type JobDetailsLister,
  type ProvisionalJobSink,
  type JobLister,
  type JobSetDetails,
  type JobSetLife,
  type JobSetView,
  type JobSetWriter,
  type JobSink,
  type JobStatus,
  type ProvisionalJob,
  type SubscriptionReport,
  type SubscriptionView,
} from '../ports.js';
import { isSilent, subscriptionView } from '../subscription-view.js';

interface JobSet {
  readonly generation: Generation;
  cursor: Cursor;
  revision: number;
  interestAt: RedisTime;
  heartbeatAt: RedisTime;
  syncedAt: RedisTime | undefined;
  reconciledAt: RedisTime | undefined;
  /** The times of the oldest and the newest state that `api.Jobs` reported and the stream has not shown. */
  ahead: { readonly since: ArmadaTime; readonly until: ArmadaTime } | undefined;
  report: SubscriptionReport;
  eventsPerMinute: number | undefined;
  readonly records: Map<JobId, JobRecord>;
  /** At which revision each record changed last. */
  readonly revisions: Map<JobId, number>;
  readonly enrichment: Map<JobId, JobEnrichment>;
  readonly unreadable: Map<JobId, string>;
  /** Pairs of an external URI and a job that was submitted with it. */
  readonly submitted: (readonly [externalUri: string, jobId: JobId])[];
  readonly firstSeenAt: RedisTime;
  lastChangeAt: ArmadaTime | undefined;
}

/** Who owns every job set here. */
export const OWNER = 'the only replica';

/**
 * The store's contract in its plainest form, in the memory of one process: what the store over Redis is compared with,
 * and what tests of other parts may stand on.
 */
export class MemoryJobStore
  implements JobSink, JobLister, ProvisionalJobSink, JobDetailsLister, JobSetLister, JobSetLife, JobSetChanges
{
  private readonly jobSets = new Map<JobSetTag, JobSet>();
  private readonly index = new Map<JobId, JobSetKey>();
  private readonly listeners = new Map<JobSetTag, ChangeListener>();

  private readonly now: () => RedisTime;

  /** @param nowMs The clock, of this process and of the store alike. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.now = () => RedisTime(nowMs());
  }

  open(key: JobSetKey): Promise<JobSetWriter> {
    const tag = jobSetTag(key);
    const jobSet = this.takeUp(tag);
    let revision = jobSet.revision;

    const writer: JobSetWriter = {
      key,
      cursor: jobSet.cursor,
      unfinished: countUnfinished(jobSet),
      eventLagMs: 0,
      ...(jobSet.reconciledAt !== undefined && {
        reconciledAgoMs: msBetween(jobSet.reconciledAt, this.now()),
      }),
      ...(jobSet.eventsPerMinute !== undefined && {
        storedRate: {
          eventsPerMinute: jobSet.eventsPerMinute,
          agoMs: msBetween(jobSet.heartbeatAt, this.now()),
        },
      }),
      unfinishedJobs: async function* () {
        const unfinished = Array.from(jobSet.records).filter(([, { state }]) => !isTerminal(state));
        const jobs = new Map(unfinished.map(([jobId, { changedAt }]) => [jobId, changedAt]));
        if (jobs.size > 0) yield await Promise.resolve(jobs);
      },
      load: (jobIds) =>
        Promise.resolve(
          new Map(
            Array.from(jobIds, (jobId) => [jobId, jobSet.records.get(jobId)] as const).filter(
              (entry): entry is [JobId, JobRecord] => entry[1] !== undefined,
            ),
          ),
        ),
      write: (batch) => {
        if (this.jobSets.get(tag) !== jobSet || jobSet.revision !== revision) {
          return Promise.reject(new StaleWriterError(key));
        }
        this.apply(key, jobSet, batch);
        revision = jobSet.revision;
        Object.assign(writer, {
          cursor: jobSet.cursor,
          unfinished: countUnfinished(jobSet),
          eventLagMs: eventLagMs(jobSet.ahead?.since, this.now()),
        });
        return Promise.resolve(this.now());
      },
      reload: () => {
        const same = this.jobSets.get(tag) === jobSet && jobSet.cursor === writer.cursor;
        if (same) {
          revision = jobSet.revision;
          Object.assign(writer, { unfinished: countUnfinished(jobSet) });
        }
        return Promise.resolve(same);
      },
    };
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
      if (!jobSet.records.has(job.jobId)) put(jobSet, job.jobId, toProvisionalRecord(job));
      if (job.externalUri !== undefined) jobSet.submitted.push([job.externalUri, job.jobId]);
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
        put(jobSet, jobId, after);
        changed++;
        const { changedAt: at } = after;
        if (isAheadOfStream(at, this.now())) {
          const { since = at, until = at } = jobSet.ahead ?? {};
          jobSet.ahead = { since: earlierOf(since, at), until: laterOf(until, at) };
        }
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

  readDetails(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetDetails> {
    const cursor = this.jobSets.get(jobSetTag(key))?.cursor ?? Cursor('');
    return Promise.resolve({ cursor, ...this.view(key, jobIds, toDetails) });
  }

  readUri(
    key: JobSetKey,
    externalUri: string,
  ): Promise<{ readonly submitted: readonly JobId[]; readonly annotated: readonly JobId[] }> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    const submitted = new Set(
      jobSet?.submitted.filter(([uri]) => uri === externalUri).map(([, jobId]) => jobId),
    );
    const annotated = Array.from(jobSet?.records ?? [])
      .filter(([, record]) => record.externalUri === externalUri)
      .map(([jobId]) => jobId);
    return Promise.resolve({ submitted: Array.from(submitted), annotated });
  }

  read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    return Promise.resolve(
      this.view(key, jobIds, (record, jobId, { revisions }) => jobStatus(record, revisions.get(jobId) ?? 0)),
    );
  }

  describe(keys: readonly JobSetKey[]): Promise<(JobSetSummary | undefined)[]> {
    const now = this.now();
    return Promise.resolve(
      keys.map((key) => {
        const jobSet = this.jobSets.get(jobSetTag(key));
        if (jobSet === undefined) return undefined;
        const { cursor, firstSeenAt, lastChangeAt } = jobSet;
        return {
          now,
          cursor,
          subscription: subscriptionOf(jobSet, now),
          counts: new Map(Object.entries(this.counts(key)) as [JobState, number][]),
          isFollowed: !isSilent(now, timesOf(jobSet)),
          owner: OWNER,
          firstSeenAt,
          ...(lastChangeAt !== undefined && { lastChangeAt }),
        };
      }),
    );
  }

  listJobs(
    key: JobSetKey,
    { generation: expected, after, states, limit }: JobPageRequest,
  ): Promise<JobPage | 'other-generation' | undefined> {
    const jobSet = this.jobSets.get(jobSetTag(key));
    if (jobSet === undefined) return Promise.resolve(undefined);
    const { generation, cursor } = jobSet;
    if (expected !== undefined && expected !== generation) return Promise.resolve('other-generation');
    const now = this.now();
    const left = Array.from(jobSet.records)
      .filter(([jobId, { state }]) => jobId > (after ?? '') && states?.has(state) !== false)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const page = left.slice(0, limit);
    const last = page.at(-1);
    return Promise.resolve({
      now,
      generation,
      subscription: subscriptionOf(jobSet, now),
      cursor,
      jobs: new Map(page.map(([jobId, record]) => [jobId, toDetails(record, jobId, jobSet)])),
      ...(last !== undefined && left.length > limit && { next: JobPosition(last[0]) }),
    });
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
    return Promise.resolve(isEmpty ? undefined : countUnfinished(jobSet));
  }

  /** How many jobs are in each state. */
  counts(key: JobSetKey): Partial<Record<JobState, number>> {
    const counts: Partial<Record<JobState, number>> = {};
    for (const { state } of this.jobSets.get(jobSetTag(key))?.records.values() ?? []) {
      counts[state] = (counts[state] ?? 0) + 1;
    }
    return counts;
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
      subscription: subscriptionOf(jobSet, now),
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
    return Promise.resolve({ revision: jobSet.revision, jobs: changedJobs(jobSet, after, from) });
  }

  /** Ends a write that has changed something. */
  private raise(tag: JobSetTag, jobSet: JobSet): void {
    const { generation, revision: previous } = jobSet;
    const revision = ++jobSet.revision;
    this.listeners.get(tag)?.notice({ generation, previous, revision, jobs: changedJobs(jobSet, previous) });
  }

  private view<T>(
    key: JobSetKey,
    jobIds: readonly JobId[],
    toView: (record: JobRecord, jobId: JobId, jobSet: JobSet) => T,
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
    return { now, subscription: subscriptionOf(jobSet, now), jobs, unreadable };
  }

  private takeUp(tag: JobSetTag): JobSet {
    const jobSet = this.jobSets.get(tag) ?? {
      generation: Generation(randomBytes(8).toString('base64url')),
      cursor: Cursor(''),
      revision: 1,
      interestAt: this.now(),
      heartbeatAt: this.now(),
      syncedAt: undefined,
      reconciledAt: undefined,
      ahead: undefined,
      report: { state: 'connecting' as const, reason: '' },
      eventsPerMinute: undefined,
      records: new Map<JobId, JobRecord>(),
      revisions: new Map<JobId, number>(),
      enrichment: new Map<JobId, JobEnrichment>(),
      unreadable: new Map<JobId, string>(),
      submitted: [],
      firstSeenAt: this.now(),
      lastChangeAt: undefined,
    };
    this.jobSets.set(tag, jobSet);
    return jobSet;
  }

  private apply(key: JobSetKey, jobSet: JobSet, batch: Batch): void {
    const { cursor, records, subscription, shownUntil, reconciled } = batch;
    for (const [jobId, record] of records) {
      this.index.set(jobId, key);
      const old = jobSet.records.get(jobId);
      if (old !== undefined && isTerminal(old.state) && old.state !== record.state) continue;
      put(jobSet, jobId, record);
    }
    jobSet.cursor = cursor;
    jobSet.report = subscription;
    jobSet.eventsPerMinute = batch.eventsPerMinute ?? 0;
    if (records.size > 0) jobSet.lastChangeAt = shownUntil ?? jobSet.lastChangeAt;
    if (subscription.syncedAt !== undefined) jobSet.syncedAt = sameMoment(subscription.syncedAt);
    if (reconciled === true) jobSet.reconciledAt = this.now();
    const { ahead } = jobSet;
    if (ahead !== undefined && shownUntil !== undefined) {
      jobSet.ahead =
        shownUntil < ahead.until ? { ...ahead, since: laterOf(ahead.since, shownUntil) } : undefined;
    }
    if (reconciled === true) jobSet.ahead = undefined;
    jobSet.heartbeatAt = this.now();
    this.raise(jobSetTag(key), jobSet);
  }
}

/** The store and the process that writes have one clock here. */
function sameMoment(time: MonotonicTime): RedisTime {
  return RedisTime(toMs(time));
}

function toDetails(record: JobRecord, jobId: JobId, { enrichment, revisions }: JobSet): DetailedJob {
  return { record, enrichment: enrichment.get(jobId) ?? {}, revision: revisions.get(jobId) ?? 0 };
}

function timesOf({ heartbeatAt, report: { nextReadAt } }: JobSet): Parameters<typeof isSilent>[1] {
  return { heartbeatAt, nextReadAt: nextReadAt === undefined ? undefined : sameMoment(nextReadAt) };
}

function subscriptionOf(jobSet: JobSet, now: RedisTime): SubscriptionView {
  const { report, ahead, syncedAt } = jobSet;
  const { state, reason } = report;
  return subscriptionView(now, {
    state,
    reason,
    ...timesOf(jobSet),
    readAt: syncedAt,
    aheadSince: ahead?.since,
  });
}

function changedJobs(jobSet: JobSet, after: number, from?: JobPosition): ChangedJob[] {
  const begin = from === undefined ? BEGINNING : parsePosition(from);
  return Array.from(jobSet.records)
    .filter(([jobId]) => (jobSet.revisions.get(jobId) ?? 0) > after)
    .map(([jobId, record]) => {
      const packedId = packJobId(jobId);
      return { jobId, record, packedId, place: placeOf(packedId) };
    })
    .filter((job) => comparePlaces(job, begin) > 0)
    .sort(comparePlaces)
    .map(({ jobId, record }) => ({
      jobId,
      revision: jobSet.revisions.get(jobId) ?? 0,
      ...(!jobSet.unreadable.has(jobId) && { job: toDetails(record, jobId, jobSet) }),
    }));
}

/** Puts a record as part of the next revision. */
function put(jobSet: JobSet, jobId: JobId, record: JobRecord): void {
  jobSet.records.set(jobId, record);
  jobSet.revisions.set(jobId, jobSet.revision + 1);
}

function countUnfinished(jobSet: JobSet): number {
  return Array.from(jobSet.records.values()).filter((record) => !isTerminal(record.state)).length;
}
