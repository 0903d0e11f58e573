import {
  addMs,
  isTerminal,
  msBetween,
  type JobId,
  type JobRecord,
  type JobSetKey,
  type MonotonicTime,
  type RedisTime,
} from '@ajs/job-state';
import type { JobDetailsLister, JobLister, JobSetDetails, ReadJob } from '@ajs/job-store';
import { inParts, monotonicNow } from '@ajs/platform';
import type { JobSetTag } from '@ajs/redis-keys';
import { isFirstCatchUp } from '../absence/first-catch-up.js';
import { FIRST_RETRY_MS, MAX_RETRY_MS, type JobReadOptions } from '../absence/job-read-options.js';
import { whyUnconfirmed, whyUnpublished, whyUnresolved } from '../absence/reasons.js';
import { TOO_SLOW, inTime } from '../absence/second-witness.js';
import { streamVerdict, type StreamVerdict } from '../absence/stream-verdict.js';
import { callerGone, msUntilAnswer } from '../caller.js';
import { isBackedByStream } from '../store/can-serve-from-cache.js';
import { fromRedis } from '../store/redis-read.js';
import type { UpstreamReport } from '../upstream/reported-jobs.js';
import { absentOnTwoWitnesses, freshnessOf, notSynced, type Known } from './known-job.js';
import { isSettled, type KnownJob, type ShownJob } from './known-jobs.js';
import { isFresh, msUntilTooLate, type AgedRead } from './max-age.js';
import type { RequestedJob } from './requests.js';

export interface JobSetReaderOptions extends JobReadOptions {
  readonly lister: Pick<JobLister, 'locate'> & Pick<JobDetailsLister, 'readDetails'>;
}

/** Jobs of one job set that a caller, who may see them, asks for. */
export interface JobSetRead extends AgedRead {
  readonly tag: JobSetTag;
  readonly jobs: readonly (RequestedJob | KnownJob)[];
}

/** More jobs than this are read by several commands: a long script blocks Redis for everyone. */
const JOBS_AT_ONCE = 200;

/** What Redis holds of a job: its record, the one that was shown before, or what the stream says of a job that has none. */
type Found = ReadJob | ShownJob | StreamVerdict;

interface JobToRead {
  readonly job: RequestedJob;
  /** As it was shown before, from this job set. */
  readonly shown: ShownJob | undefined;
}

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
   * Adds to `known` what is known of each of the jobs. Rejects with RedisReadError, and with UNAVAILABLE where the job set is not as fresh as the caller
   * wants it.
   */
  async read(read: JobSetRead, known: Map<RequestedJob, Known>): Promise<void> {
    const { key, tag, jobs, caller } = read;
    this.options.noteInterest(key, tag, caller);
    const beganAt = monotonicNow();
    const until = addMs(beganAt, Math.min(this.options.waitMs, msUntilAnswer(caller)));
    const toAsk = new Map<RequestedJob, Found>();
    const { settled, unsettled } = parted(jobs, tag, beganAt);
    let pending = unsettled;
    let arrivedAt: RedisTime | undefined;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      const view = await this.readDetails(key, pending);
      // By Redis' clock, and at or after the call's arrival: a read that began later than this began after the call.
      arrivedAt ??= view.now;
      let left = msBetween(monotonicNow(), until);
      if (isFresh(view, arrivedAt, read.maxAgeMs)) {
        const isLast = left <= 0 || view.subscription?.state === 'denied';
        const waiting: JobToRead[] = [];
        let isUnread = false;
        for (const each of pending) {
          const step = this.stepOf(each, view, arrivedAt, read);
          if (step.kind === 'known') known.set(each.job, step.known);
          else if (step.kind === 'ask' || isLast) toAsk.set(each.job, step.found);
          else {
            waiting.push(each);
            isUnread ||= step.found === 'unread';
          }
        }
        if (waiting.length === 0) {
          await this.ask(read, view, toAsk, known);
          const freshness = freshnessOf(view);
          for (const job of settled) {
            const { shown } = job;
            known.set(job, { shown, encoded: shown.encoded, isReadAgain: false, freshness });
          }
          return;
        }
        pending = waiting;
        // A watch brings by itself what Armada publishes.
        if (isUnread || view.subscription?.nextReadAt !== undefined) this.options.requestRead(key);
      } else {
        left = msUntilTooLate(view, beganAt, read);
        this.options.requestRead(key);
      }
      await this.options.pause(caller, Math.min(pause, left));
      if (caller.isGone()) throw callerGone(caller);
    }
  }

  private stepOf(
    { job: { jobId }, shown }: JobToRead,
    view: JobSetDetails,
    arrivedAt: RedisTime,
    { key, tag, caller }: JobSetRead,
  ): Step {
    const unreadable = view.unreadable.get(jobId);
    if (unreadable !== undefined) {
      this.options.unreadableRecord(jobId, unreadable);
      return { kind: 'known', known: notSynced(`${unreadable}; upgrade the query replicas`, view) };
    }
    // Where a request names a job in several ways, not all of them have been shown it before.
    const found = (view.unchanged.has(jobId) ? shown : undefined) ?? view.jobs.get(jobId);
    if (found !== undefined) {
      const job: JudgedJob = 'record' in found ? toStatus(found.record) : found.status;
      if (!isTerminal(job.state) && isFirstCatchUp(job, view.subscription)) return { kind: 'wait', found };
      if (!isBackedByStream(job, view, this.options.provisionalGraceMs)) return { kind: 'ask', found };
      return { kind: 'known', known: toKnown(found, key, tag, view) };
    }
    const verdict = streamVerdict(jobId, view, arrivedAt, this.options.notFoundGraceMs);
    if (verdict === 'absent') return { kind: 'ask', found: verdict };
    const refusal = this.options.refusalOf(tag, caller);
    if (refusal !== undefined) return { kind: 'known', known: notSynced(refusal, view) };
    return { kind: 'wait', found: verdict };
  }

  /** Adds what is known of jobs that their stream does not settle, once Armada's `api.Jobs` was asked of them. */
  private async ask(
    { key, tag, caller }: JobSetRead,
    view: JobSetDetails,
    jobs: ReadonlyMap<RequestedJob, Found>,
    known: Map<RequestedJob, Known>,
  ): Promise<void> {
    if (jobs.size === 0) return;
    const jobIds = Array.from(new Set(Array.from(jobs.keys(), ({ jobId }) => jobId)));
    const { lister, reportedJobs, waiting } = this.options;
    const reports = await inTime(() => reportedJobs.lookUpAll(key, jobIds, caller.key), caller, waiting);
    const reportOf = (jobId: JobId): UpstreamReport =>
      'kind' in reports ? reports : (reports.get(jobId) ?? TOO_SLOW);
    const recorded = Array.from(jobs.keys()).filter(({ jobId }) => reportOf(jobId).kind === 'recorded');
    const held =
      recorded.length === 0
        ? view
        : await this.readDetails(
            key,
            recorded.map((job) => ({ job, shown: undefined })),
          );
    const absent = Array.from(jobs).flatMap(([{ jobId }, found]) => (found === 'absent' ? [jobId] : []));
    const indexed = absent.length === 0 ? undefined : await fromRedis(lister.locate(absent));
    for (const [job, found] of jobs) {
      const { jobId } = job;
      const report = reportOf(jobId);
      const record = held.jobs.get(jobId) ?? (typeof found === 'string' ? undefined : found);
      if (record !== undefined) known.set(job, toKnown(record, key, tag, view));
      else if (found !== 'absent') known.set(job, notSynced(this.whyNotSynced(found, view), view));
      else if (report.kind === 'recorded') known.set(job, notSynced(LOST, view));
      else if (report.kind === 'unanswered') known.set(job, notSynced(whyUnconfirmed(report.reason), view));
      else {
        const indexedIn = indexed?.get(jobId);
        known.set(job, absentOnTwoWitnesses(indexedIn !== undefined && isSame(indexedIn, key), view));
      }
    }
  }

  private whyNotSynced(found: Found, { subscription }: JobSetDetails): string {
    if (found === 'unpublished') return whyUnpublished(this.options.notFoundGraceMs);
    return whyUnresolved(subscription);
  }

  /** As of the first of several reads. */
  private async readDetails(key: JobSetKey, jobs: readonly JobToRead[]): Promise<JobSetDetails> {
    const { lister, recorder } = this.options;
    const owed = recorder.settle(jobs.map(({ job }) => job.jobId));
    if (owed !== undefined) await owed;
    const readPart = (part: readonly JobToRead[]): Promise<JobSetDetails> =>
      lister.readDetails(
        key,
        part.map(({ job }) => job.jobId),
        part.map(({ shown }) => shown?.version),
      );
    if (jobs.length <= JOBS_AT_ONCE) return fromRedis(readPart(jobs));
    const [first, ...others] = await fromRedis(Promise.all(inParts(jobs, JOBS_AT_ONCE).map(readPart)));
    if (first === undefined) throw new Error('nothing was read');
    return {
      ...first,
      jobs: new Map([first, ...others].flatMap((read) => [...read.jobs])),
      unchanged: new Set([first, ...others].flatMap((read) => [...read.unchanged])),
      unreadable: new Map([first, ...others].flatMap((read) => [...read.unreadable])),
    };
  }
}

const LOST = "Redis has lost what Armada's api.Jobs reported; ask again";

/** The jobs by whether they are answered without being read. */
function parted(
  jobs: readonly (RequestedJob | KnownJob)[],
  tag: JobSetTag,
  now: MonotonicTime,
): { readonly settled: KnownJob[]; readonly unsettled: JobToRead[] } {
  const settled: KnownJob[] = [];
  const unsettled: JobToRead[] = [];
  for (const job of jobs) {
    // One that was shown from another job set is no business of the caller's.
    if (!('shown' in job) || job.shown.tag !== tag) unsettled.push({ job, shown: undefined });
    else if (isSettled(job.shown, now)) settled.push(job);
    else unsettled.push({ job, shown: job.shown });
  }
  return { settled, unsettled };
}

function toKnown(found: ReadJob | ShownJob, key: JobSetKey, tag: JobSetTag, view: JobSetDetails): Known {
  const freshness = freshnessOf(view);
  if ('record' in found) return { read: found, key, tag, freshness };
  const isReadAgain = isTerminal(found.status.state);
  return { shown: found, encoded: found.encoded, isReadAgain, freshness };
}

type JudgedJob = Pick<JobRecord, 'state' | 'changedAt' | 'failure' | 'reported'> & {
  readonly provisional?: true;
};

/** The record of a job as it is judged by: without an event of the stream it is provisional. */
function toStatus(record: JobRecord): JudgedJob {
  return record.lastEvent === undefined ? { ...record, provisional: true } : record;
}

function isSame(a: JobSetKey, b: JobSetKey): boolean {
  return a.queue === b.queue && a.jobSetId === b.jobSetId;
}
