import type { JobSetKey } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import type { Caller } from '../caller.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { JobSetFeed, type JobSetFeedOptions } from './job-set-feed.js';

/** A change whose notice was lost is noticed within twice this time. Milliseconds. */
const CHECK_EVERY_MS = 2_000;

export interface JobSetFeedsOptions extends JobSetFeedOptions {
  /** Called again and again for each job set that somebody listens to. */
  readonly noteInterest: NoteInterest;
  /** Why the job set will not be followed for this caller, if it will not. */
  readonly refusalOf: (tag: JobSetTag, caller: Pick<Caller, 'key'>) => string | undefined;
  /** Called with how many job sets are listened to. */
  readonly onCount: (feeds: number) => void;
}

interface FeedOfCaller {
  readonly feed: JobSetFeed;
  /** The first one. Nothing else of it is kept: it may have gone long ago. */
  readonly caller: Pick<Caller, 'key'>;
}

/** One {@link JobSetFeed} for each job set that somebody in this process listens to. */
export class JobSetFeeds {
  private readonly feeds = new Map<JobSetTag, FeedOfCaller>();
  private cancel: () => void;

  constructor(
    private readonly options: JobSetFeedsOptions,
    private readonly clock: Pick<Clock, 'after'> = systemClock,
  ) {
    this.cancel = clock.after(CHECK_EVERY_MS, () => this.checkAll());
  }

  /**
   * Listen to it at once: one that nobody listens to is closed.
   *
   * @param who The caller who listens to it. Interest is noted in the name of the first one: a caller that may have no more new job sets
   *   followed gets none by listening to them
   */
  of(key: JobSetKey, who: Pick<Caller, 'key'>): JobSetFeed {
    const tag = jobSetTag(key);
    const known = this.feeds.get(tag);
    if (known !== undefined) return known.feed;
    const caller = { key: who.key };
    const isRefused = (): boolean => this.options.refusalOf(tag, caller) !== undefined;
    const feed = new JobSetFeed(key, this.options, isRefused, this.clock);
    this.feeds.set(tag, { feed, caller });
    this.options.onCount(this.feeds.size);
    return feed;
  }

  close(): void {
    this.cancel();
    for (const { feed } of this.feeds.values()) feed.close();
  }

  private checkAll(): void {
    this.cancel = this.clock.after(CHECK_EVERY_MS, () => this.checkAll());
    for (const [tag, { feed, caller }] of this.feeds) {
      if (feed.isUnused) {
        feed.close();
        this.feeds.delete(tag);
      } else {
        this.options.noteInterest(feed.key, tag, caller);
        feed.keepUp();
      }
    }
    this.options.onCount(this.feeds.size);
  }
}
