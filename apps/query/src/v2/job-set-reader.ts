import { addMs, isTerminal, msBetween, type JobId, type JobSetKey, type RedisTime } from '@ajs/job-state';
import type { DetailedJob, JobDetailsLister, JobLister, JobSetDetails } from '@ajs/job-store';
import { inParts, monotonicNow } from '@ajs/platform';
import type { JobSetTag } from '@ajs/redis-keys';
import { status } from '@grpc/grpc-js';
import { isFirstCatchUp } from '../absence/first-catch-up.js';
import { FIRST_RETRY_MS, MAX_RETRY_MS, type JobReadOptions } from '../absence/job-read-options.js';
import { whyUnconfirmed, whyUnpublished, whyUnresolved } from '../absence/reasons.js';
import { TOO_SLOW, inTime } from '../absence/second-witness.js';
import { streamVerdict, type StreamVerdict } from '../absence/stream-verdict.js';
import { msUntilAnswer } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import { isBackedByStream } from '../store/can-serve-from-cache.js';
import { fromRedis } from '../store/redis-read.js';
import type { UpstreamReport } from '../upstream/reported-jobs.js';
import type { EndedJobs } from './ended-jobs.js';
import { absentOnTwoWitnesses, notSynced, present, presentEnded, type Known } from './known-job.js';
import { isFresh, msUntilTooLate, type AgedRead } from './max-age.js';

export interface JobSetReaderOptions extends JobReadOptions {
  readonly lister: Pick<JobLister, 'locate'> & Pick<JobDetailsLister, 'readDetails'>;
  readonly endedJobs: EndedJobs;
}

/** Jobs of one job set that a caller, who may see them, asks for. */
export interface JobSetRead extends AgedRead {
  readonly tag: JobSetTag;
  readonly jobIds: readonly JobId[];
}

/** More jobs than this are read by several commands: a long script blocks Redis for everyone. */
const JOBS_AT_ONCE = 200;

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
    const ended = this.options.endedJobs.of(tag, jobIds);
    let pending = ended.size === 0 ? jobIds : jobIds.filter((jobId) => !ended.has(jobId));
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
          for (const [jobId, encoded] of ended) known.set(jobId, presentEnded(encoded, view));
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
      if (!isBackedByStream(job, view, this.options.provisionalGraceMs)) return { kind: 'ask', found };
      const known = present(jobId, key, found, view);
      // The stream still adds to an end that was reported, and to one that it has not shown.
      if (isTerminal(job.state) && job.reported === undefined && job.provisional !== true) {
        this.options.endedJobs.add(tag, jobId, known.job);
      }
      return { kind: 'known', known };
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
    const { lister, reportedJobs, waiting } = this.options;
    const reports = await inTime(reportedJobs.lookUpAll(key, jobIds, caller.key), caller, waiting);
    const reportOf = (jobId: JobId): UpstreamReport =>
      'kind' in reports ? reports : (reports.get(jobId) ?? TOO_SLOW);
    const recorded = jobIds.filter((jobId) => reportOf(jobId).kind === 'recorded');
    const held = recorded.length === 0 ? view : await this.readDetails(key, recorded);
    const absent = jobIds.filter((jobId) => jobs.get(jobId) === 'absent');
    const indexed = absent.length === 0 ? undefined : await fromRedis(lister.locate(absent));
    for (const [jobId, found] of jobs) {
      const report = reportOf(jobId);
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

  /** As of the first of several reads. */
  private async readDetails(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetDetails> {
    const { lister } = this.options;
    if (jobIds.length <= JOBS_AT_ONCE) return fromRedis(lister.readDetails(key, jobIds));
    const [first, ...others] = await Promise.all(
      inParts(jobIds, JOBS_AT_ONCE).map((part) => fromRedis(lister.readDetails(key, part))),
    );
    if (first === undefined) throw new Error('nothing was read');
    return {
      ...first,
      jobs: new Map([first, ...others].flatMap(({ jobs }) => [...jobs])),
      unreadable: new Map([first, ...others].flatMap(({ unreadable }) => [...unreadable])),
    };
  }
}

const LOST = "Redis has lost what Armada's api.Jobs reported; ask again";

/** The record of a job as it is judged by: without an event of the stream it is provisional. */
function toStatus({ record }: DetailedJob): DetailedJob['record'] & { readonly provisional?: true } {
  return record.lastEvent === undefined ? { ...record, provisional: true } : record;
}

function isSame(a: JobSetKey, b: JobSetKey): boolean {
  return a.queue === b.queue && a.jobSetId === b.jobSetId;
}
