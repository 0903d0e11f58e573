import { monotonicNow } from '@ajs/platform';
import { addMs, isTerminal, msBetween, type JobSetKey, type RedisTime, type JobId } from '@ajs/job-state';
import type { JobLister, JobSetView, JobStatus, SubscriptionView } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import { isFirstCatchUp } from '../absence/first-catch-up.js';
import { FIRST_RETRY_MS, MAX_RETRY_MS, type JobReadOptions } from '../absence/job-read-options.js';
import { whyOutdated, whyUnconfirmed, whyUnpublished, whyUnresolved } from '../absence/reasons.js';
import { inTime } from '../absence/second-witness.js';
import { streamVerdict } from '../absence/stream-verdict.js';
import { msUntilAnswer, type Caller } from '../caller.js';
import { isBackedByStream } from '../store/can-serve-from-cache.js';
import type { UnrecordedReport } from '../upstream/reported-jobs.js';

/** The answer on one job. */
export type Answer =
  /** Its state; `subscription` is as of when it was read. */
  | {
      readonly kind: 'resolved';
      readonly status: JobStatus;
      readonly subscription?: SubscriptionView | undefined;
      /** The job has ended: neither its state nor what is known of it changes any more. */
      readonly isFinal?: true;
      /** For people: why the job may have left this state long ago. */
      readonly outdated?: string;
    }
  /** Armada has no such job, by both witnesses: a read that began after the poll arrived, and Armada's `api.Jobs`. */
  | { readonly kind: 'absent'; readonly subscription?: SubscriptionView | undefined }
  /** Not resolved in time; a later poll will be, unless the reason says otherwise. */
  | {
      readonly kind: 'unresolved';
      readonly reason: string;
      readonly subscription?: SubscriptionView | undefined;
    };

export interface JobStatusQueryOptions extends JobReadOptions {
  /** Rejects with RedisReadError. */
  readonly lister: Pick<JobLister, 'read'>;
}

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
    const { noteInterest, waitMs, notFoundGraceMs } = this.options;
    const tag = jobSetTag(key);
    noteInterest(key, tag, caller);
    const poll = { key, jobId, caller };
    const until = addMs(monotonicNow(), Math.min(waitMs, msUntilAnswer(caller)));
    let arrivedAt: RedisTime | undefined;
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      const view = await this.read(key, jobId);
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
        : { kind: 'absent', subscription },
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
    const { key, jobId, caller } = poll;
    const { reportedJobs, waiting } = this.options;
    const report = await inTime(() => reportedJobs.lookUp(key, jobId, caller.key), caller, waiting);
    if (report.kind !== 'recorded') return otherwise(report);
    const { jobs, subscription } = await this.read(key, jobId);
    const status = jobs.get(jobId);
    return status === undefined ? otherwise(LOST) : resolved(status, subscription);
  }

  private read(key: JobSetKey, jobId: JobId): Promise<JobSetView> {
    const { lister, recorder } = this.options;
    const owed = recorder.settle([jobId]);
    return owed === undefined ? lister.read(key, [jobId]) : owed.then(() => lister.read(key, [jobId]));
  }
}

type Resolved = Extract<Answer, { kind: 'resolved' }>;

function resolved(status: JobStatus, subscription: SubscriptionView | undefined): Resolved {
  return { kind: 'resolved', status, subscription };
}

function unresolved(reason: string, subscription: SubscriptionView | undefined): Answer {
  return { kind: 'unresolved', reason, subscription };
}
