import { randomBytes } from 'node:crypto';
import {
  Cursor,
  RedisTime,
  earlierOf,
  isTerminal,
  laterOf,
  toMs,
  type ArmadaTime,
  type JobEnrichment,
  type JobId,
  type JobRecord,
  type JobState,
  type MonotonicTime,
} from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import type { ChangedJob } from '../change-ports.js';
import { packJobId } from '../codec/job-id-codec.js';
import { BEGINNING, comparePlaces, formatPosition, parsePosition, placeOf } from '../codec/job-place.js';
import { isAheadOfStream } from '../event-lag.js';
import type { JobPage, JobPageRequest, JobPosition, JobSetSummary } from '../listing-ports.js';
import type {
  Batch,
  DetailedJob,
  JobVersion,
  ReadJob,
  SubscriptionReport,
  SubscriptionView,
} from '../ports.js';
import { isSilent, subscriptionView } from '../subscription-view.js';

/** Who owns every job set here. */
export const OWNER = 'the only replica';

/** One life of a job set's keys, in memory. */
export class MemoryJobSet {
  readonly generation = Generation(randomBytes(8).toString('base64url'));
  cursor = Cursor('');
  revision = 1;
  interestAt: RedisTime;
  heartbeatAt: RedisTime;
  reconciledAt: RedisTime | undefined;
  eventsPerMinute: number | undefined;
  /** The times of the oldest and the newest state that `api.Jobs` reported and the stream has not shown. */
  ahead: { readonly since: ArmadaTime; readonly until: ArmadaTime } | undefined;
  readonly records = new Map<JobId, JobRecord>();
  /** At which revision each record changed last. */
  readonly revisions = new Map<JobId, number>();
  readonly enrichment = new Map<JobId, JobEnrichment>();
  readonly unreadable = new Map<JobId, string>();
  /** The external URIs that jobs were submitted with. */
  readonly submittedUris = new Map<JobId, string>();
  private report: SubscriptionReport = { state: 'connecting', reason: '' };
  private syncedAt: RedisTime | undefined;
  private lastChangeAt: ArmadaTime | undefined;

  constructor(private readonly firstSeenAt: RedisTime) {
    this.interestAt = firstSeenAt;
    this.heartbeatAt = firstSeenAt;
  }

  get unfinished(): number {
    return Array.from(this.records.values()).filter(({ state }) => !isTerminal(state)).length;
  }

  /** How many jobs are in each state. */
  get counts(): Partial<Record<JobState, number>> {
    const counts: Partial<Record<JobState, number>> = {};
    for (const { state } of this.records.values()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }

  /** Puts a record as part of the next revision. */
  put(jobId: JobId, record: JobRecord): void {
    this.records.set(jobId, record);
    this.revisions.set(jobId, this.revision + 1);
  }

  /** As {@link put}, for a state that `api.Jobs` reported. */
  putReported(jobId: JobId, record: JobRecord, now: RedisTime): void {
    this.put(jobId, record);
    const { changedAt: at } = record;
    if (!isAheadOfStream(at, now)) return;
    const { since = at, until = at } = this.ahead ?? {};
    this.ahead = { since: earlierOf(since, at), until: laterOf(until, at) };
  }

  apply(
    { cursor, records, subscription, shownUntil, reconciled, eventsPerMinute = 0 }: Batch,
    now: RedisTime,
  ): void {
    for (const [jobId, record] of records) {
      const old = this.records.get(jobId);
      if (old !== undefined && isTerminal(old.state) && old.state !== record.state) continue;
      this.put(jobId, record);
    }
    this.cursor = cursor;
    this.report = subscription;
    this.eventsPerMinute = eventsPerMinute;
    if (records.size > 0) this.lastChangeAt = shownUntil ?? this.lastChangeAt;
    if (subscription.syncedAt !== undefined) this.syncedAt = sameMoment(subscription.syncedAt);
    if (reconciled === true) this.reconciledAt = now;
    const { ahead } = this;
    if (ahead !== undefined && shownUntil !== undefined) {
      this.ahead =
        shownUntil < ahead.until ? { ...ahead, since: laterOf(ahead.since, shownUntil) } : undefined;
    }
    if (reconciled === true) this.ahead = undefined;
    this.heartbeatAt = now;
  }

  subscription(now: RedisTime): SubscriptionView {
    const { state, reason } = this.report;
    return subscriptionView(now, {
      state,
      reason,
      ...this.times,
      readAt: this.syncedAt,
      aheadSince: this.ahead?.since,
    });
  }

  details(jobId: JobId, record: JobRecord): DetailedJob {
    const externalUri = this.submittedUris.get(jobId) ?? record.externalUri;
    return {
      record: externalUri === undefined ? record : { ...record, externalUri },
      enrichment: this.enrichment.get(jobId) ?? {},
      revision: this.revisions.get(jobId) ?? 0,
    };
  }

  read(jobId: JobId, record: JobRecord): ReadJob {
    const parts = [this, record, this.enrichment.get(jobId), this.submittedUris.get(jobId)];
    return { ...this.details(jobId, record), version: { size: 0, parts } as unknown as JobVersion };
  }

  summary(now: RedisTime): JobSetSummary {
    const { cursor, firstSeenAt, lastChangeAt } = this;
    return {
      now,
      cursor,
      subscription: this.subscription(now),
      counts: new Map(Object.entries(this.counts) as [JobState, number][]),
      isFollowed: !isSilent(now, this.times),
      owner: OWNER,
      firstSeenAt,
      ...(lastChangeAt !== undefined && { lastChangeAt }),
    };
  }

  page({ after, states, limit }: JobPageRequest, now: RedisTime): JobPage {
    const begin = after === undefined ? BEGINNING : parsePosition(after);
    // By their ids: tests may know the order.
    const left = Array.from(this.records, ([jobId, record]) => {
      return { jobId, record, place: 0, packedId: packJobId(jobId) };
    })
      .filter((job) => comparePlaces(job, begin) > 0 && states?.has(job.record.state) !== false)
      .sort(comparePlaces);
    const page = left.slice(0, limit);
    const last = page.at(-1);
    return {
      now,
      generation: this.generation,
      subscription: this.subscription(now),
      cursor: this.cursor,
      jobs: new Map(page.map(({ jobId, record }) => [jobId, this.details(jobId, record)])),
      ...(last !== undefined && left.length > limit && { next: formatPosition(last) }),
    };
  }

  changedJobs(after: number, from?: JobPosition): ChangedJob[] {
    const begin = from === undefined ? BEGINNING : parsePosition(from);
    return Array.from(this.records)
      .filter(([jobId]) => (this.revisions.get(jobId) ?? 0) > after)
      .map(([jobId, record]) => {
        const packedId = packJobId(jobId);
        return { jobId, record, packedId, place: placeOf(packedId) };
      })
      .filter((job) => comparePlaces(job, begin) > 0)
      .sort(comparePlaces)
      .map(({ jobId, record }) => ({
        jobId,
        generation: this.generation,
        revision: this.revisions.get(jobId) ?? 0,
        ...(!this.unreadable.has(jobId) && { job: this.details(jobId, record) }),
      }));
  }

  private get times(): Parameters<typeof isSilent>[1] {
    const { nextReadAt } = this.report;
    return {
      heartbeatAt: this.heartbeatAt,
      nextReadAt: nextReadAt === undefined ? undefined : sameMoment(nextReadAt),
    };
  }
}

/** Whether all that was seen of the job is what is there now. */
export function isSeen(seen: JobVersion | undefined, job: ReadJob | undefined): boolean {
  const [before, now] = [seen, job?.version] as unknown as readonly ({ parts: unknown[] } | undefined)[];
  return now?.parts.every((part, i) => before !== undefined && part === before.parts[i]) === true;
}

/** The store and the process that writes have one clock here. */
function sameMoment(time: MonotonicTime): RedisTime {
  return RedisTime(toMs(time));
}
