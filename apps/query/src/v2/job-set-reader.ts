import {
  addMs,
  isTerminal,
  msBetween,
  type JobId,
  type JobSetKey,
  type MonotonicTime,
  type RedisTime,
} from '@ajs/job-state';
import type { Freshness, Job } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { DetailedJob, JobDetailsLister, JobLister, JobSetDetails } from '@ajs/job-store';
import { completesWithin, monotonicNow } from '@ajs/platform';
import type { JobSetTag } from '@ajs/redis-keys';
import { toFreshness, toV2Job, type Absent } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import { isFirstCatchUp } from '../absence/first-catch-up.js';
import { whyUnconfirmed, whyUnpublished, whyUnresolved } from '../absence/reasons.js';
import { streamVerdict, type StreamVerdict } from '../absence/stream-verdict.js';
import type { Caller } from '../caller.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { RpcError } from '../rpc-error.js';
import { isBackedByStream } from '../store/can-serve-from-cache.js';
import { fromRedis } from '../store/redis-read.js';
import type { ReportRecorder } from '../upstream/report-recorder.js';
import type { ReportedJobs, UpstreamReport } from '../upstream/reported-jobs.js';
import { V2Error } from './error-info.js';

/** What is known of a job. */
export type Known = ({ readonly job: Job } | { readonly absent: Absent; readonly reason: string }) & {
  readonly freshness: Freshness | undefined;
};

export interface JobSetReaderOptions {
  readonly lister: Pick<JobLister, 'locate'> & Pick<JobDetailsLister, 'readDetails'>;
  readonly noteInterest: NoteInterest;
  /** Why the job set will not be followed for this caller, if it will not. */
  readonly refusalOf: (tag: JobSetTag, caller: Caller) => string | undefined;
  /** Requests a read of the job set from its owner. */
  readonly requestRead: (key: JobSetKey) => void;
  readonly reportedJobs: Pick<ReportedJobs, 'lookUpAll'>;
  readonly recorder: Pick<ReportRecorder, 'settle'>;
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

/** Jobs of one job set that a caller, who may see them, asks for. */
export interface JobSetRead {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly jobIds: readonly JobId[];
  readonly caller: Caller;
  /** The oldest sync that the caller takes. Left out: any. Milliseconds. */
  readonly maxAgeMs: number | undefined;
}

/** More jobs than this are read by several commands: a long script blocks Redis for everyone. */
const JOBS_AT_ONCE = 200;
/** How long a caller without a deadline waits for a job set that is to be read anew. Milliseconds. */
const READ_ANEW_MS = 30_000;
/** How long a look-up in Armada's `api.Jobs` is waited for, which takes tens of milliseconds. Milliseconds. */
const LOOK_UP_MS = 2_000;
/** The answer leaves this long before the caller's deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 100;
const FIRST_RETRY_MS = 15;
const MAX_RETRY_MS = 200;

/** What Redis holds of a job: its record, or what the stream says of one that has none. */
type Found = DetailedJob | StreamVerdict;

/** What is to be done about a job: nothing, wait for its stream, or ask Armada's `api.Jobs`. */
type Step =
  | { readonly kind: 'known'; readonly known: Known }
  | { readonly kind: 'wait' | 'ask'; readonly found: Found };

/**
 * Reads jobs of one job set: with one round trip to Redis where the stream settles them, else after a wait for the stream, and with Armada's
 * own `api.Jobs` as the second witness of what is absent (P6).
 */
export class JobSetReader {
  constructor(private readonly options: JobSetReaderOptions) {}

  /**
   * What is known of each of the jobs. Rejects with RedisReadError, and with UNAVAILABLE where the job set is not as fresh as the caller
   * wants it.
   */
  async read(read: JobSetRead): Promise<ReadonlyMap<JobId, Known>> {
    const { key, tag, jobIds, caller } = read;
    this.options.noteInterest(key, tag, caller);
    await this.options.recorder.settle(jobIds);
    const beganAt = monotonicNow();
    const until = addMs(beganAt, Math.min(this.options.waitMs, msUntilAnswer(caller)));
    const known = new Map<JobId, Known>();
    const toAsk = new Map<JobId, Found>();
    let pending = jobIds;
    let arrivedAt: RedisTime | undefined;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      const view = await this.readDetails(key, pending);
      // By Redis' clock, and at or after the call's arrival: a read that began later than this began after the call.
      arrivedAt ??= view.now;
      let left = msBetween(monotonicNow(), until);
      if (isFresh(view, arrivedAt, read.maxAgeMs)) {
        const isLast = left <= 0 || view.subscription?.state === 'denied';
        const waiting = new Map<JobId, Found>();
        for (const jobId of pending) {
          const step = this.stepOf(jobId, view, arrivedAt, read);
          if (step.kind === 'known') known.set(jobId, step.known);
          else (step.kind === 'ask' || isLast ? toAsk : waiting).set(jobId, step.found);
        }
        if (waiting.size === 0) {
          await this.ask(read, view, toAsk, known);
          return known;
        }
        pending = [...waiting.keys()];
        // A watch brings by itself what Armada publishes.
        const isUnread = [...waiting.values()].includes('unread');
        if (isUnread || view.subscription?.nextReadAt !== undefined) this.options.requestRead(key);
      } else {
        left = msUntilTooLate(view, beganAt, read);
        this.options.requestRead(key);
      }
      await this.options.pause(caller, Math.min(pause, left));
      if (caller.isGone()) throw new RpcError(status.CANCELLED, 'the caller cancelled the call');
    }
  }

  private stepOf(
    jobId: JobId,
    view: JobSetDetails,
    arrivedAt: RedisTime,
    { key, tag, caller }: JobSetRead,
  ): Step {
    const unreadable = view.unreadable.get(jobId);
    if (unreadable !== undefined) {
      this.options.unreadableRecord(jobId, unreadable);
      return { kind: 'known', known: notSynced(`${unreadable}; upgrade the query replicas`, view) };
    }
    const found = view.jobs.get(jobId);
    if (found !== undefined) {
      const job = toStatus(found);
      if (!isTerminal(job.state) && isFirstCatchUp(job, view.subscription)) return { kind: 'wait', found };
      const isBacked = isBackedByStream(job, view, this.options.provisionalGraceMs);
      return isBacked ? { kind: 'known', known: present(jobId, key, found, view) } : { kind: 'ask', found };
    }
    const verdict = streamVerdict(jobId, view, arrivedAt, this.options.notFoundGraceMs);
    if (verdict === 'absent') return { kind: 'ask', found: verdict };
    const refusal = this.options.refusalOf(tag, caller);
    if (refusal !== undefined) return { kind: 'known', known: notSynced(refusal, view) };
    return { kind: 'wait', found: verdict };
  }

  /** Adds what is known of jobs that their stream does not settle, once Armada's `api.Jobs` was asked of them. */
  private async ask(
    { key, caller }: JobSetRead,
    view: JobSetDetails,
    jobs: ReadonlyMap<JobId, Found>,
    known: Map<JobId, Known>,
  ): Promise<void> {
    if (jobs.size === 0) return;
    const jobIds = [...jobs.keys()];
    const reports = await this.lookUp(key, jobIds, caller);
    const recorded = jobIds.filter((jobId) => reports.get(jobId)?.kind === 'recorded');
    const held = recorded.length === 0 ? view : await this.readDetails(key, recorded);
    const absent = jobIds.filter((jobId) => jobs.get(jobId) === 'absent');
    const indexed = absent.length === 0 ? undefined : await fromRedis(this.options.lister.locate(absent));
    for (const [jobId, found] of jobs) {
      const report = reports.get(jobId) ?? TOO_SLOW;
      const job = held.jobs.get(jobId) ?? (typeof found === 'string' ? undefined : found);
      if (job !== undefined) known.set(jobId, present(jobId, key, job, view));
      else if (found !== 'absent') known.set(jobId, notSynced(this.whyNotSynced(found, view), view));
      else if (report.kind === 'recorded') known.set(jobId, notSynced(LOST, view));
      else if (report.kind === 'unanswered') known.set(jobId, notSynced(whyUnconfirmed(report.reason), view));
      else {
        const indexedIn = indexed?.get(jobId);
        known.set(jobId, absentOnTwoWitnesses(indexedIn !== undefined && isSame(indexedIn, key), view));
      }
    }
  }

  private whyNotSynced(found: Found, { subscription }: JobSetDetails): string {
    if (found === 'unpublished') return whyUnpublished(this.options.notFoundGraceMs);
    return whyUnresolved(subscription);
  }

  /** Of jobs that are left out nothing was learned in time. */
  private async lookUp(
    key: JobSetKey,
    jobIds: readonly JobId[],
    caller: Caller,
  ): Promise<ReadonlyMap<JobId, UpstreamReport>> {
    const lookUp = this.options.reportedJobs.lookUpAll(key, jobIds, caller.key);
    const withinMs = Math.min(LOOK_UP_MS, msUntilAnswer(caller));
    try {
      const isInTime = await this.options.waiting(caller, () => completesWithin(withinMs, lookUp));
      return isInTime ? await lookUp : new Map();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      // Too many calls wait: no reason to hide a state that is known (P5).
      const report = { kind: 'unanswered', reason: error.details } as const;
      return new Map(jobIds.map((jobId) => [jobId, report]));
    }
  }

  /** As of the first of several reads. */
  private async readDetails(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetDetails> {
    const { lister } = this.options;
    if (jobIds.length <= JOBS_AT_ONCE) return fromRedis(lister.readDetails(key, jobIds));
    const parts: Promise<JobSetDetails>[] = [];
    for (let from = 0; from < jobIds.length; from += JOBS_AT_ONCE) {
      parts.push(fromRedis(lister.readDetails(key, jobIds.slice(from, from + JOBS_AT_ONCE))));
    }
    const [first, ...others] = await Promise.all(parts);
    if (first === undefined) throw new Error('nothing was read');
    return {
      ...first,
      jobs: new Map([first, ...others].flatMap(({ jobs }) => [...jobs])),
      unreadable: new Map([first, ...others].flatMap(({ unreadable }) => [...unreadable])),
    };
  }
}

const TOO_SLOW: UpstreamReport = {
  kind: 'unanswered',
  reason: "Armada's api.Jobs has not answered in time",
};
const LOST = "Redis has lost what Armada's api.Jobs reported; ask again";

function present(
  jobId: JobId,
  key: JobSetKey,
  { record, enrichment }: DetailedJob,
  view: JobSetDetails,
): Known {
  return { job: toV2Job(jobId, key, record, enrichment), freshness: freshnessOf(view) };
}

function notSynced(reason: string, view: JobSetDetails): Known {
  return { absent: 'not-synced', reason, freshness: freshnessOf(view) };
}

/** @param isIndexed whether the job index has the job in this job set: it was there once */
function absentOnTwoWitnesses(isIndexed: boolean, view: JobSetDetails): Known {
  const freshness = freshnessOf(view);
  if (isIndexed) {
    return { absent: 'expired', reason: 'the job existed, and Armada has its events no longer', freshness };
  }
  const reason = 'the event stream of the job set does not hold the job, nor does Armada know it otherwise';
  return { absent: 'not-found', reason, freshness };
}

/** Answers from one read share it. */
const shown = new WeakMap<JobSetDetails, Freshness>();

function freshnessOf(view: JobSetDetails): Freshness | undefined {
  const { subscription, cursor } = view;
  if (subscription === undefined) return undefined;
  const freshness = shown.get(view) ?? toFreshness(subscription, cursor);
  shown.set(view, freshness);
  return freshness;
}

/** The record of a job as it is judged by: without an event of the stream it is provisional. */
function toStatus({ record }: DetailedJob): DetailedJob['record'] & { readonly provisional?: true } {
  return record.lastEvent === undefined ? { ...record, provisional: true } : record;
}

function isSame(a: JobSetKey, b: JobSetKey): boolean {
  return a.queue === b.queue && a.jobSetId === b.jobSetId;
}

/** Whether the job set was synced within the time, or since the call came. */
function isFresh(
  { now, subscription }: JobSetDetails,
  arrivedAt: RedisTime,
  maxAgeMs: number | undefined,
): boolean {
  if (maxAgeMs === undefined) return true;
  const syncedAt = subscription?.syncedAt;
  return syncedAt !== undefined && (syncedAt >= arrivedAt || msBetween(syncedAt, now) <= maxAgeMs);
}

/** How long the job set may still take to be read anew. Throws UNAVAILABLE where it is too late, or will not be read. */
function msUntilTooLate(
  { subscription }: JobSetDetails,
  beganAt: MonotonicTime,
  { caller, key, maxAgeMs }: JobSetRead,
): number {
  const leftMs = Math.min(msUntilAnswer(caller), READ_ANEW_MS - msBetween(beganAt, monotonicNow()));
  const isRefused = subscription?.state === 'denied' || subscription?.state === 'gone';
  if (leftMs > 0 && !isRefused) return leftMs;
  const why = subscription?.state === 'live' ? 'no read has ended yet' : whyUnresolved(subscription);
  throw new V2Error(
    status.UNAVAILABLE,
    'NOT_SYNCED_IN_TIME',
    `job set ${JSON.stringify(key.jobSetId)} of queue ${JSON.stringify(key.queue)} was not synced with Armada within ${maxAgeMs} ms ` +
      `(max_age), and could not be read anew in time: ${why}; retry with more time, or without max_age`,
  );
}

function msUntilAnswer({ deadline }: Caller): number {
  return msBetween(monotonicNow(), deadline) - DEADLINE_MARGIN_MS;
}
