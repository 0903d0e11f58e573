import { parseMessageId, type JobSetKey } from '@ajs/job-state';
import type { InterestStore } from '../interest/interest-store.js';
import { heatOf, type Activity } from './heat.js';
import { isWanted, type Lifetime } from '../interest/lifetime.js';
import type { JobSetQuota, NextStep, ReadReason, JobSetPosition } from '../sync/job-set-quota.js';
import type { ReadBudget } from './read-budget.js';
import type { ReadSchedule } from './read-schedule.js';
import type { WatchBudget } from './watch-budget.js';

/** Turns that may read or wait for it here at once, each with its lease. */
const MAX_READING = 500;
/** New ones, that have no time of their own yet, are taken up while less than so many seconds' worth of reads wait. */
const NEW_WAIT_SECONDS = 1;

export interface UpstreamQuotaOptions {
  readonly interest: Pick<InterestStore, 'age'>;
  readonly lifetime: Lifetime;
  readonly watches: WatchBudget;
  readonly reads: ReadBudget;
  readonly schedule: ReadSchedule;
  /** A read of Armada begins. */
  readonly onRead: () => void;
  /** Milliseconds since the epoch, as Armada's events are dated. */
  readonly now: () => number;
}

export interface QuotaRequest {
  readonly assignmentId: string;
  readonly key: JobSetKey;
  /** Whoever had the turn before watched the job set: its reads come before those that are due. */
  readonly wasWatched: boolean;
  /** The job set is watched from now on. */
  readonly onWatchGranted: () => void;
  /** Its watch is to be closed, and the job set is not watched any more; then it is released. */
  readonly onWatchRevoked: (why: string) => void;
}

/** Decides for every turn of this replica what may be asked of Armada: watches, reads, and when. */
export class UpstreamQuota {
  constructor(private readonly options: UpstreamQuotaOptions) {}

  /** Milliseconds after which a turn is to be taken up instead of now, where so many read here, or wait for it. */
  admissionDelay(reading: number, isNew: boolean): number | undefined {
    const { reads, schedule } = this.options;
    const most = isNew ? Math.min(MAX_READING, reads.perSecond() * NEW_WAIT_SECONDS) : MAX_READING;
    return reading < most ? undefined : schedule.place(0, 'cold');
  }

  /** Whether nobody asks about the job set, and it may be deleted by now: opened, it would begin anew. */
  async isForgotten(key: JobSetKey): Promise<boolean> {
    return (await this.options.interest.age(key)) === undefined;
  }

  quotaOf(turn: QuotaRequest): AssignmentQuota {
    return new AssignmentQuota(this.options, turn);
  }
}

/** What may be asked of Armada for one job set during one turn. */
export class AssignmentQuota implements JobSetQuota {
  private lastPoll = { age: Infinity, at: -Infinity };
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

  async admitRead(why: ReadReason, signal: AbortSignal): Promise<void> {
    const hurries = why === 'catch-up' && this.isUrgent;
    await this.options.reads.take(why === 'asked' ? why : hurries ? 'watched' : 'due', signal);
    if (!signal.aborted) this.options.onRead();
  }

  async nextStep(standing: () => JobSetPosition): Promise<NextStep> {
    if (!(await this.isWanted(standing().unfinished))) return 'done';
    if (await this.claimWatch(standing)) {
      this.isUrgent = true;
      return 'watch';
    }
    this.isUrgent = false;
    const activity = this.signs(standing());
    return {
      readInMs: this.options.schedule.next(Math.min(activity.pollAge, activity.eventAge), heatOf(activity)),
    };
  }

  scheduleRead(ms: number): number {
    return this.options.schedule.place(ms, 'cold');
  }

  /** Whether somebody still asks about the job set. */
  async isWanted(unfinished: number): Promise<boolean> {
    const { interest: demand, lifetime, now } = this.options;
    const age = await demand.age(this.request.key);
    this.lastPoll = { age: age ?? Infinity, at: now() };
    return isWanted(lifetime, age, unfinished);
  }

  /** The turn is over; its watch, if it had one, is closed, and one that it still waits for goes back at once. */
  release(): void {
    this.isOver = true;
    this.options.watches.release(this.request.assignmentId);
  }

  releaseWatch(why: string): void {
    if (!this.isWatched) return;
    this.request.onWatchRevoked(why);
    this.options.watches.release(this.request.assignmentId);
  }

  private async claimWatch(standing: () => JobSetPosition): Promise<boolean> {
    const { watches } = this.options;
    const { assignmentId: turnId } = this.request;
    if (this.isWatched) return true;
    if (await watches.confirmAboveShare()) return false;
    const giveUp = (): void => this.releaseWatch('its watch is for another');
    const isGiven = await watches.claim(turnId, () => heatOf(this.signs(standing())), giveUp);
    if (isGiven && this.isOver) {
      watches.release(turnId);
      return false;
    }
    if (isGiven) this.request.onWatchGranted();
    return isGiven;
  }

  private signs({ cursor, unfinished }: JobSetPosition): Activity {
    const now = this.options.now();
    const eventAt = parseMessageId(cursor)?.ms ?? -Infinity;
    return { pollAge: this.lastPoll.age + (now - this.lastPoll.at), eventAge: now - eventAt, unfinished };
  }
}
