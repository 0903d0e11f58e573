import type { JobSetKey } from '@ajs/job-state';
import {
  positionOf,
  type ChangeListener,
  type ChangeNotice,
  type ChangeSubscription,
  type JobSetChanges,
  type JobSetMoment,
} from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';

/** The changes of a store in memory, whose notices a spec loses and holds back, and whose connection it breaks. */
export class LossyChanges implements JobSetChanges {
  readonly store = new MemoryJobStore();
  /** Whether the next notices are lost. */
  losesNotices = false;
  /** Whether the next notices wait for {@link release}. */
  holdsNotices = false;
  isAway = false;
  /** Whether nobody can subscribe, while everything else goes on. */
  failsSubscriptions = false;
  /** The most jobs of a page of changes. */
  pageSize = Infinity;
  /** Awaited when a page was read that is not the last one. */
  afterPage = (): unknown => undefined;
  /** Whether jobs cannot be read, while everything else can. */
  failsReads = false;
  subscriptions = 0;
  renewals = 0;
  reads = 0;
  /** Called while jobs are read. */
  whileReading = (): void => undefined;
  /** Awaited once jobs were read, before they are given. */
  afterRead = (): unknown => undefined;
  /** Awaited before a subscription begins, or is renewed. */
  beforeSubscribe = (): unknown => undefined;
  /** Awaited before the job set is watched. */
  beforeWatch = (): unknown => undefined;
  /** Awaited before it answers where the job set stands. */
  afterWatch = (): unknown => undefined;
  private last: ChangeNotice | undefined;
  private listener: ChangeListener | undefined;
  private readonly held: ChangeNotice[] = [];

  async subscribe(key: JobSetKey, listener: ChangeListener): Promise<ChangeSubscription> {
    await this.beforeSubscribe();
    this.requireConnection();
    if (this.failsSubscriptions) throw new Error('Command timed out');
    this.listener = listener;
    const subscription = await this.store.subscribe(key, {
      ...listener,
      notice: (notice) => {
        this.last = notice;
        if (this.holdsNotices) this.held.push(notice);
        else if (!this.losesNotices) listener.notice(notice);
      },
    });
    this.subscriptions++;
    return {
      renew: async () => {
        await this.beforeSubscribe();
        this.requireConnection();
        if (this.failsSubscriptions) throw new Error('Command timed out');
        this.renewals++;
        await subscription.renew();
      },
      close: () => {
        this.subscriptions--;
        subscription.close();
      },
    };
  }

  release(): void {
    this.holdsNotices = false;
    for (const notice of this.held.splice(0)) this.listener?.notice(notice);
  }

  /** Gives the last notice once more. */
  repeat(): void {
    if (this.last !== undefined) this.listener?.notice(this.last);
  }

  /** As the client does once it is connected again. */
  interrupt(): void {
    this.listener?.interrupted();
  }

  async watch(key: JobSetKey): Promise<JobSetMoment> {
    await this.beforeWatch();
    this.requireConnection();
    const moment = await this.store.watch(key);
    await this.afterWatch();
    return moment;
  }

  async readChanges(
    ...args: Parameters<JobSetChanges['readChanges']>
  ): ReturnType<JobSetChanges['readChanges']> {
    this.requireConnection();
    this.reads++;
    const page = await this.store.readChanges(...args);
    const jobs = page?.jobs.slice(0, this.pageSize);
    const last = jobs?.at(-1);
    if (page === undefined || jobs === undefined || last === undefined || jobs.length === page.jobs.length) {
      return page;
    }
    await this.afterPage();
    return { ...page, jobs, next: positionOf(last.jobId) };
  }

  async readDetails(
    ...args: Parameters<MemoryJobStore['readDetails']>
  ): ReturnType<MemoryJobStore['readDetails']> {
    this.requireConnection();
    if (this.failsReads) throw new Error('Command timed out');
    this.reads++;
    const read = await this.store.readDetails(...args);
    this.whileReading();
    await this.afterRead();
    return read;
  }

  private requireConnection(): void {
    if (this.isAway) throw new Error('Connection is closed.');
  }
}
