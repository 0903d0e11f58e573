import type { JobId, JobSetKey } from '@ajs/job-state';
import type {
  ChangeNotice,
  ChangeSubscription,
  JobDetailsLister,
  JobSetChanges,
  JobSetDetails,
  JobSetMoment,
  JobSetPosition,
} from '@ajs/job-store';
import { systemClock, type Clock } from '@ajs/platform';
import { JobListeners, type JobListener } from './job-listeners.js';
import { isUpTo, laterOf } from './job-set-position.js';

/** What one write changed. */
export type JobSetChange = Required<ChangeNotice>;

/** Follows all writes of a job set. */
export interface JobSetListener {
  /** Called with each write, in their order: those that come soon after each other together. All listeners are given the same array. */
  changed(changes: readonly JobSetChange[]): void;
  /** Writes may have been missed: read what is newer than the last one. Also called once the feed follows the writes, and by each check that cannot have it follow. */
  missed(): void;
}

export interface JobSetFeedOptions {
  readonly changes: JobSetChanges;
  readonly lister: Pick<JobDetailsLister, 'readDetails'>;
  readonly onError: (error: Error) => void;
  /** Called where notices were lost. */
  readonly onMissed: () => void;
}

/**
 * A call to a stream takes some 10 µs, however many changes it has. Writes that come within this time for each stream, up to a bound, are
 * passed on together: so streams take a third of the time at most, where there are many. Milliseconds.
 */
const PAUSE_PER_LISTENER_MS = 0.03;
const MAX_PAUSE_MS = 100;

/** Jobs are read so many at a time: a long script blocks Redis for everyone. */
const READ_AT_ONCE = 200;

/**
 * The changes of one job set, for any number of listeners in this process: one subscription, from the first listener on, and no command to
 * Redis for a listener. {@link keepUp} repairs what publish/subscribe may lose: call it every few seconds.
 */
export class JobSetFeed {
  /** Where the job set stood at the last check. Undefined before the first. */
  moment: JobSetMoment | undefined;
  private readonly listeners = new Set<JobSetListener>();
  private readonly jobs = new JobListeners();
  /** Changes that wait for the end of a pause. */
  private gathered: JobSetChange[] = [];
  private cancelPause: (() => void) | undefined;
  private readonly unread = new Set<JobId>();
  private reading: ReadonlySet<JobId> = new Set();
  private subscription: ChangeSubscription | undefined;
  /** Of the last write that was heard of. Left out where the job set had no keys. */
  private position: JobSetPosition | undefined;
  /** Whether the subscription was confirmed, and no notice is known to be lost since. */
  private isSubscribed = false;
  /** Whether every write after {@link position} is published to this process, as far as is known. Never without a confirmed subscription. */
  private isFollowing = false;
  /** The last write that was heard of before it was known where the job set stands. */
  private early: JobSetPosition | undefined;
  private checking: Promise<void> | undefined;
  private isCheckDue = false;
  private isReading = false;
  private hasBegun = false;
  private isClosed = false;

  /** @param isRefused Whether the job set is not followed for who listens to its jobs, of which there may be very many: then these cost Redis nothing */
  constructor(
    readonly key: JobSetKey,
    private readonly options: JobSetFeedOptions,
    private readonly isRefused: () => boolean,
    private readonly clock: Pick<Clock, 'after'> = systemClock,
  ) {}

  get isUnused(): boolean {
    return this.listeners.size === 0 && this.jobs.isEmpty;
  }

  /** Which life of the job set is followed. Undefined where it has no keys, as far as is known. */
  get generation(): JobSetPosition['generation'] | undefined {
    return this.position?.generation;
  }

  /** Returns what ends it. */
  listen(listener: JobSetListener): () => void {
    this.listeners.add(listener);
    if (this.isFollowing) listener.missed();
    else this.begin();
    return () => this.listeners.delete(listener);
  }

  /** Until {@link stopListeningTo}. */
  listenTo(jobId: JobId, listener: JobListener): void {
    this.jobs.add(jobId, listener);
    if (this.isFollowing) this.read([jobId]);
    else if (!this.isRefused()) this.begin();
  }

  stopListeningTo(jobId: JobId, listener: JobListener): void {
    this.jobs.delete(jobId, listener);
  }

  /**
   * Begins to follow the job set, or finds out whether it still does: resolves to whether it follows, by a look that began after this call.
   * Where it does not, listeners hear of what they missed by the next check, and once it does. Never rejects.
   */
  async check(): Promise<boolean> {
    this.isCheckDue = true;
    await (this.checking ??= this.checkWhileDue());
    return this.isFollowing;
  }

  /** Checks the job set, or begins to follow it, if it may. */
  keepUp(): void {
    if (this.hasBegun) void this.check();
    else if (!this.isRefused()) this.begin();
  }

  close(): void {
    this.isClosed = true;
    this.cancelPause?.();
    this.subscription?.close();
  }

  /** Without a listener a job set costs Redis nothing: a call that names it may still be refused. */
  private begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    void this.check();
  }

  private async checkWhileDue(): Promise<void> {
    while (this.isCheckDue) {
      this.isCheckDue = false;
      await this.checkOnce();
    }
    this.checking = undefined;
    // It may have begun after it was to end.
    if (this.isClosed) this.subscription?.close();
    // What could not be read before.
    else if (this.isFollowing) this.read([]);
  }

  private async checkOnce(): Promise<void> {
    const { changes, onError, onMissed } = this.options;
    // A notice may be a moment behind: those that are lost are those that have not come by the next check.
    if (this.isFollowing && !isUpTo(this.position, this.moment?.position)) {
      this.lost();
      onMissed();
    }
    try {
      if (!this.isSubscribed) await this.subscribe();
      this.stands(await changes.watch(this.key));
    } catch (error) {
      this.isFollowing = false;
      onError(error as Error);
    }
  }

  /** Where that fails, the next check tries again. Never rejects. */
  private async subscribe(): Promise<void> {
    const { changes, onError } = this.options;
    // Before it is true: it may be interrupted meanwhile.
    this.isSubscribed = true;
    try {
      if (this.subscription !== undefined) await this.subscription.renew();
      else {
        this.subscription = await changes.subscribe(this.key, {
          notice: (notice) => this.heard(notice),
          interrupted: () => this.interrupted(),
        });
      }
    } catch (error) {
      this.isSubscribed = false;
      onError(error as Error);
    }
  }

  /** Without a subscription each check has its listeners read what is newer. */
  private stands(moment: JobSetMoment): void {
    this.moment = moment;
    // The writes of a job set that was begun anew are not published before it is watched.
    if (this.isFollowing && moment.position?.generation === this.generation) return;
    this.isFollowing = this.isSubscribed;
    this.position = laterOf(moment.position, this.early);
    this.missed();
  }

  private interrupted(): void {
    this.lost();
    void this.check();
  }

  private lost(): void {
    this.isFollowing = false;
    this.isSubscribed = false;
  }

  private heard({ generation, previous, revision, jobs }: ChangeNotice): void {
    if (!this.isFollowing) {
      this.early = { generation, revision };
      return;
    }
    const { position } = this;
    const isSameLife = position?.generation === generation;
    if (isSameLife && revision <= position.revision) return;
    this.position = { generation, revision };
    if (jobs !== undefined && isSameLife && previous === position.revision) {
      this.changed({ generation, previous, revision, jobs });
      return;
    }
    this.options.onMissed();
    this.missed();
  }

  private changed(change: JobSetChange): void {
    this.gathered.push(change);
    if (this.cancelPause === undefined) this.tellGathered();
    for (const job of change.jobs) {
      // Who began to listen may have seen the job after this was written: the read that is due is newer than both.
      if (this.reading.has(job.jobId)) this.unread.add(job.jobId);
      if (!this.unread.has(job.jobId)) this.jobs.tell(job);
    }
  }

  private tellGathered(): void {
    const changes = this.gathered;
    this.gathered = [];
    this.cancelPause = undefined;
    if (changes.length === 0) return;
    for (const listener of this.listeners) listener.changed(changes);
    const pauseMs = Math.min(this.listeners.size * PAUSE_PER_LISTENER_MS, MAX_PAUSE_MS);
    if (pauseMs >= 1) this.cancelPause = this.clock.after(pauseMs, () => this.tellGathered());
  }

  private missed(): void {
    // What is read is newer, and perhaps of another life.
    this.gathered = [];
    for (const listener of this.listeners) listener.missed();
    this.read(this.jobs.jobIds());
  }

  private read(jobIds: Iterable<JobId>): void {
    for (const jobId of jobIds) this.unread.add(jobId);
    if (this.isReading || this.unread.size === 0) return;
    this.isReading = true;
    // Those of one turn of the event loop together.
    setImmediate(() => void this.readUnread());
  }

  /** What Redis does not give now is read after the next check. */
  private async readUnread(): Promise<void> {
    try {
      while (this.unread.size > 0 && !this.isClosed) {
        const some = firstOf(this.unread, READ_AT_ONCE);
        for (const jobId of some) this.unread.delete(jobId);
        await this.readNow(some.filter((jobId) => this.jobs.has(jobId)));
      }
    } catch (error) {
      this.options.onError(error as Error);
    } finally {
      this.reading = new Set();
      this.isReading = false;
    }
  }

  private async readNow(jobIds: readonly JobId[]): Promise<void> {
    this.reading = new Set(jobIds);
    if (jobIds.length === 0) return;
    let read: JobSetDetails;
    try {
      read = await this.options.lister.readDetails(this.key, jobIds);
    } catch (error) {
      for (const jobId of jobIds) this.unread.add(jobId);
      throw error;
    }
    const { generation, jobs } = read;
    if (generation === undefined) return;
    for (const [jobId, job] of jobs) this.jobs.tell({ jobId, generation, revision: job.revision ?? 0, job });
  }
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const each of all) {
    if (first.length === count) break;
    first.push(each);
  }
  return first;
}
