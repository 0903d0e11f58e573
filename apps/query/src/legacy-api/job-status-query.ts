import { completesWithin, monotonicNow } from '@ajs/platform';
import { addMs, isTerminal, msBetween, type JobSetKey, type RedisTime, type JobId } from '@ajs/job-state';
import type { JobLister, JobSetView, JobStatus, SubscriptionView } from '@ajs/job-store';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import type { Caller } from '../caller.js';
import { isFirstCatchUp } from '../absence/first-catch-up.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { RpcError } from '../rpc-error.js';
import { isBackedByStream } from '../store/can-serve-from-cache.js';
import { fromRedis } from '../store/redis-read.js';
import type { ReportRecorder } from '../upstream/report-recorder.js';
import type { ReportedJobs, UnrecordedReport, UpstreamReport } from '../upstream/reported-jobs.js';
import { whyOutdated, whyUnconfirmed, whyUnpublished, whyUnresolved } from '../absence/reasons.js';
import { streamVerdict } from '../absence/stream-verdict.js';

/** The answer on one job. */
export type Answer =
  /** Its state; `subscription` is as of when it was read. */
  | {
      readonly kind: 'resolved';
      readonly status: JobStatus;
      readonly subscription?: SubscriptionView;
      /** The job has ended: neither its state nor what is known of it changes any more. */
      readonly isFinal?: true;
      /** For people: why the job may have left this state long ago. */
      readonly outdated?: string;
    }
  /** Armada has no such job, by both witnesses: a read that began after the poll arrived, and Armada's `api.Jobs`. */
  | { readonly kind: 'absent'; readonly subscription?: SubscriptionView }
  /** Not resolved in time; a later poll will be, unless the reason says otherwise. */
  | { readonly kind: 'unresolved'; readonly reason: string; readonly subscription?: SubscriptionView };

export interface JobStatusQueryOptions {
  readonly lister: JobLister;
  readonly noteInterest: NoteInterest;
  /** Why the job set will not be followed for this caller, if it will not. */
  readonly refusalOf: (tag: JobSetTag, caller: Caller) => string | undefined;
  /** Requests a read of the job set from its owner. */
  readonly requestRead: (key: JobSetKey) => void;
  /** Looks jobs up in Armada's `api.Jobs`. */
  readonly reportedJobs: Pick<ReportedJobs, 'lookUp'>;
  readonly recorder: Pick<ReportRecorder, 'settle'>;
  /** The requested job has a record that this version cannot read. */
  readonly unreadableRecord: (jobId: JobId, reason: string) => void;
  /** How long a poll of a job that has no record waits for the stream to settle it. Milliseconds. */
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

/** How long a poll waits for a look-up in Armada's `api.Jobs`, which takes tens of milliseconds. Milliseconds. */
const LOOK_UP_MS = 2_000;
/** The answer leaves this long before the caller's deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 100;
const FIRST_RETRY_MS = 15;
const MAX_RETRY_MS = 200;

const TOO_SLOW: UnrecordedReport = {
  kind: 'unanswered',
  reason: "Armada's api.Jobs has not answered in time",
};
const LOST: UnrecordedReport = {
  kind: 'unanswered',
  reason: "Redis has lost what Armada's api.Jobs reported",
};

interface Poll {
  readonly key: JobSetKey;
  readonly jobId: JobId;
  readonly caller: Caller;
}

/**
 * Answers what state a job is in: with one round trip to Redis for a cached job. What no event stream settles is looked up in Armada's own
 * `api.Jobs`.
 */
export class JobStatusQuery {
  constructor(private readonly options: JobStatusQueryOptions) {}

  /** Rejects with RedisReadError, and with RESOURCE_EXHAUSTED where too many calls wait. */
  async run(key: JobSetKey, jobId: JobId, caller: Caller): Promise<Answer> {
    const { lister, recorder, noteInterest, waitMs, notFoundGraceMs } = this.options;
    const tag = jobSetTag(key);
    noteInterest(key, tag, caller);
    const poll = { key, jobId, caller };
    const owed = recorder.settle([jobId]);
    if (owed !== undefined) await owed;
    const until = addMs(monotonicNow(), Math.min(waitMs, msUntilAnswer(caller)));
    let arrivedAt: RedisTime | undefined;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      const view = await fromRedis(lister.read(key, [jobId]));
      const status = view.jobs.get(jobId);
      const { subscription } = view;
      if (status !== undefined && isTerminal(status.state)) {
        if (status.reported) return this.ofReportedEnd(poll, view, status);
        return { ...resolved(status, subscription), isFinal: true };
      }
      const left = msBetween(monotonicNow(), until);
      if (status !== undefined) {
        if (left <= 0 || !isFirstCatchUp(status, subscription)) return this.ofRecord(poll, view, status);
      } else {
        const unreadable = view.unreadable.get(jobId);
        if (unreadable !== undefined) {
          this.options.unreadableRecord(jobId, unreadable);
          const reason = `cannot resolve job ${JSON.stringify(jobId)}: ${unreadable}; upgrade the query replicas`;
          return unresolved(reason, subscription);
        }
        // By Redis' clock, and at or after the poll's arrival: a read that began later than this began after the poll.
        arrivedAt ??= view.now;
        const verdict = streamVerdict(jobId, view, arrivedAt, notFoundGraceMs);
        if (verdict === 'absent') return this.ofAbsent(poll, subscription);
        const refusal = this.options.refusalOf(tag, caller);
        if (refusal !== undefined) return unresolved(refusal, subscription);
        if (left <= 0 || subscription?.state === 'denied') return this.ofUnknown(poll, subscription, verdict);
        // A watch brings by itself what Armada publishes.
        if (verdict === 'unread' || subscription?.nextReadAt !== undefined) this.options.requestRead(key);
      }
      await this.options.pause(caller, Math.min(pause, left));
      if (caller.isGone()) return unresolved(whyUnresolved(subscription), subscription);
    }
  }

  /** The stream still adds to it: it is not kept in memory. */
  private ofReportedEnd(poll: Poll, view: JobSetView, status: JobStatus): Answer | Promise<Answer> {
    const answer = resolved(status, view.subscription);
    const isComplete = isBackedByStream(status, view, this.options.provisionalGraceMs);
    return isComplete ? answer : this.fromArmada(poll, () => answer);
  }

  private ofRecord(poll: Poll, view: JobSetView, status: JobStatus): Answer | Promise<Answer> {
    const answer = resolved(status, view.subscription);
    if (isBackedByStream(status, view, this.options.provisionalGraceMs)) return answer;
    return this.fromArmada(poll, (report) => ({ ...answer, outdated: whyOutdated(view, report) }));
  }

  private ofAbsent(poll: Poll, subscription: SubscriptionView | undefined): Promise<Answer> {
    return this.fromArmada(poll, (report) =>
      report.kind === 'unanswered'
        ? unresolved(whyUnconfirmed(report.reason), subscription)
        : { kind: 'absent', ...(subscription !== undefined && { subscription }) },
    );
  }

  private ofUnknown(
    poll: Poll,
    subscription: SubscriptionView | undefined,
    verdict: 'unread' | 'unpublished',
  ): Promise<Answer> {
    const reason =
      verdict === 'unread' ? whyUnresolved(subscription) : whyUnpublished(this.options.notFoundGraceMs);
    return this.fromArmada(poll, () => unresolved(reason, subscription));
  }

  /** The job as Redis holds it once Armada's `api.Jobs` has reported it; `otherwise` where that does not know the job, or does not answer. */
  private async fromArmada(poll: Poll, otherwise: (report: UnrecordedReport) => Answer): Promise<Answer> {
    const report = await this.lookUp(poll);
    if (report.kind !== 'recorded') return otherwise(report);
    const { key, jobId } = poll;
    const { jobs, subscription } = await fromRedis(this.options.lister.read(key, [jobId]));
    const status = jobs.get(jobId);
    return status === undefined ? otherwise(LOST) : resolved(status, subscription);
  }

  private async lookUp({ key, jobId, caller }: Poll): Promise<UpstreamReport> {
    const lookUp = this.options.reportedJobs.lookUp(key, jobId, caller.key);
    const withinMs = Math.min(LOOK_UP_MS, msUntilAnswer(caller));
    try {
      const isInTime = await this.options.waiting(caller, () => completesWithin(withinMs, lookUp));
      return isInTime ? await lookUp : TOO_SLOW;
    } catch (error) {
      // Too many calls wait: no reason to hide a state that is known (P5).
      if (error instanceof RpcError) return { kind: 'unanswered', reason: error.details };
      throw error;
    }
  }
}

function msUntilAnswer({ deadline }: Caller): number {
  return msBetween(monotonicNow(), deadline) - DEADLINE_MARGIN_MS;
}

type Resolved = Extract<Answer, { kind: 'resolved' }>;

function resolved(status: JobStatus, subscription: SubscriptionView | undefined): Resolved {
  return { kind: 'resolved', status, ...(subscription !== undefined && { subscription }) };
}

function unresolved(reason: string, subscription: SubscriptionView | undefined): Answer {
  return { kind: 'unresolved', reason, ...(subscription !== undefined && { subscription }) };
}
