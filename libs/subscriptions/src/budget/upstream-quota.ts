import { Cursor, MonotonicTime, msBetween, parseMessageId, type JobSetKey } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import type { AssignmentId } from './assignment-id.js';
import type { InterestStore, Polls } from '../interest/interest-store.js';
import { isWanted, type Lifetime } from '../interest/lifetime.js';
import type { JobSetPosition, JobSetQuota, NextStep, ReadReason } from '../sync/job-set-quota.js';
import { COLD, heatOf, type Heat } from './heat.js';
import type { ReadBudget } from './read-budget.js';
import type { ReadSchedule } from './read-schedule.js';
import type { WatchBudget, WatchClaimant } from './watch-budget.js';

/** Assignments that may read or wait for it here at once, each with its lease. */
const MAX_READING = 500;
/** New ones, that have no time of their own yet, are admitted while less than so many seconds' worth of reads wait. */
const MAX_NEW_BACKLOG_SECONDS = 1;
/** What was read of how a job set is polled is still used after so long: most reads of Armada take less. Milliseconds. */
const POLLS_USED_FOR_MS = 1_000;

export interface UpstreamQuotaOptions {
  readonly interest: Pick<InterestStore, 'polls'>;
  readonly lifetime: Lifetime;
  readonly watches: WatchBudget;
  readonly reads: ReadBudget;
  readonly schedule: ReadSchedule;
  /** A read of Armada begins. */
  readonly onRead: () => void;
  /** Milliseconds since the epoch, as Armada's events are dated. */
  readonly now: () => number;
}

/** Whoever watches a job set. */
export interface WatchHolder {
  /** The job set is watched from now on. */
  watchGranted(): void;
  /** The job set goes on without a watch. */
  watchRefused(): void;
  /** The watch is to be closed before this returns: it is released then. */
  watchRevoked(reason: string): void;
}

export interface QuotaRequest {
  readonly assignmentId: AssignmentId;
  readonly key: JobSetKey;
  /** The owner before watched the job set: its reads come before those that are due. */
  readonly wasWatched: boolean;
  readonly holder: WatchHolder;
}

/** Decides what the assignments of this replica may cost Armada: watches, reads, and when. */
export class UpstreamQuota {
  constructor(private readonly options: UpstreamQuotaOptions) {}

  /** Milliseconds after which an assignment is to be admitted instead of now, where `reading` read here, or wait for it. */
  admissionDelay(reading: number, isNew: boolean): number | undefined {
    const { reads, schedule } = this.options;
    const max = isNew ? Math.min(MAX_READING, reads.perSecond() * MAX_NEW_BACKLOG_SECONDS) : MAX_READING;
    return reading < max ? undefined : schedule.reserve(0, COLD);
  }

  quotaOf(request: QuotaRequest): AssignmentQuota {
    return new AssignmentQuota(this.options, request);
  }
}

/** What one job set may cost Armada during one assignment. */
export class AssignmentQuota implements JobSetQuota {
  /** How the job set was polled, as of a moment; without an age where it was not, or that was forgotten. */
  private lastPoll: Partial<Polls> & { readonly at: MonotonicTime } = { at: MonotonicTime(-Infinity) };
  private position: () => JobSetPosition = () => ({
    cursor: Cursor(''),
    unfinished: 0,
    eventsPerMinute: 0,
  });
  private isUrgent: boolean;
  private isOver = false;

  constructor(
    private readonly options: UpstreamQuotaOptions,
    private readonly request: QuotaRequest,
  ) {
    this.isUrgent = request.wasWatched;
  }

  get isWatched(): boolean {
    return this.options.watches.holds(this.request.assignmentId);
  }

  async isForgotten(): Promise<boolean> {
    await this.readPolls();
    return this.lastPoll.age === undefined;
  }

  async admitRead(reason: ReadReason, signal: AbortSignal): Promise<void> {
    const isUrgent = reason === 'catch-up' && this.isUrgent;
    await this.options.reads.take(reason === 'requested' ? reason : isUrgent ? 'watched' : 'due', signal);
    if (!signal.aborted) this.options.onRead();
  }

  async nextStep(position: () => JobSetPosition): Promise<NextStep> {
    this.position = position;
    if (!(await this.isWanted(position().unfinished))) return 'done';
    this.isUrgent = await this.claimWatch();
    if (this.isUrgent) return 'watch';
    if (!this.isOver) this.request.holder.watchRefused();
    const quietMs = Math.min(this.pollAge, this.eventAge);
    return { readInMs: this.options.schedule.next(quietMs, this.heat()) };
  }

  scheduleRead(afterMs: number): number {
    return this.options.schedule.reserve(afterMs, COLD);
  }

  /** Whether the job set was polled lately enough to be followed. */
  async isWanted(unfinished: number): Promise<boolean> {
    const { lifetime } = this.options;
    const isRecent = msBetween(this.lastPoll.at, monotonicNow()) < POLLS_USED_FOR_MS;
    // It may have been polled since: only that it is wanted stays true.
    if (isRecent && isWanted(lifetime, this.pollAge, unfinished)) return true;
    await this.readPolls();
    return isWanted(lifetime, this.lastPoll.age, unfinished);
  }

  /** The assignment is over; its watch, if it had one, is closed, and one that it still waits for goes back at once. */
  release(): void {
    // The watch may be that of the next assignment of the same job set by then.
    if (this.isOver) return;
    this.isOver = true;
    this.options.watches.release(this.request.assignmentId);
  }

  releaseWatch(reason: string): void {
    if (!this.isWatched) return;
    this.request.holder.watchRevoked(reason);
    this.options.watches.release(this.request.assignmentId);
  }

  private async claimWatch(): Promise<boolean> {
    const { watches } = this.options;
    const { assignmentId, holder } = this.request;
    if (this.isWatched) return true;
    if (await watches.confirmAboveShare()) return false;
    const claimant: WatchClaimant = {
      heat: () => this.heat(),
      revoke: () => this.releaseWatch('a hotter job set needs its watch'),
    };
    const isGranted = await watches.claim(assignmentId, claimant);
    if (isGranted && this.isOver) {
      watches.release(assignmentId);
      return false;
    }
    if (isGranted) holder.watchGranted();
    return isGranted;
  }

  private heat(): Heat {
    const { unfinished, eventsPerMinute } = this.position();
    const pollsPerMinute = this.lastPoll.perMinute ?? 0;
    return heatOf({ pollAge: this.pollAge, pollsPerMinute, eventsPerMinute, unfinished });
  }

  private async readPolls(): Promise<void> {
    const polls = await this.options.interest.polls(this.request.key);
    this.lastPoll = { ...polls, at: monotonicNow() };
  }

  private get pollAge(): number {
    return (this.lastPoll.age ?? Infinity) + msBetween(this.lastPoll.at, monotonicNow());
  }

  /** Where our clock and Armada's differ, this only changes when a job set is read again, between the shortest and the longest interval. */
  private get eventAge(): number {
    return this.options.now() - (parseMessageId(this.position().cursor)?.ms ?? -Infinity);
  }
}
