import type { JobSetKey } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { JobSetFeed, type JobSetFeedOptions } from './job-set-feed.js';

/** A change whose notice was lost is noticed within twice this time. Milliseconds. */
const CHECK_EVERY_MS = 2_000;

export interface JobSetFeedsOptions extends JobSetFeedOptions {
  /** Called again and again for each job set that somebody listens to. */
  readonly noteInterest: (key: JobSetKey, tag: JobSetTag) => void;
  /** Called with how many job sets are listened to. */
  readonly onCount: (feeds: number) => void;
}

/** One {@link JobSetFeed} for each job set that somebody in this process listens to. */
export class JobSetFeeds {
  private readonly feeds = new Map<JobSetTag, JobSetFeed>();
  private cancel: () => void;

  constructor(
    private readonly options: JobSetFeedsOptions,
    private readonly clock: Pick<Clock, 'after'> = systemClock,
  ) {
    this.cancel = clock.after(CHECK_EVERY_MS, () => this.checkAll());
  }

  /** Listen to it at once: one that nobody listens to is closed. */
  of(key: JobSetKey): JobSetFeed {
    const tag = jobSetTag(key);
    let feed = this.feeds.get(tag);
    if (feed === undefined) {
      feed = new JobSetFeed(key, this.options, this.clock);
      this.feeds.set(tag, feed);
      this.options.onCount(this.feeds.size);
    }
    return feed;
  }

  close(): void {
    this.cancel();
    for (const feed of this.feeds.values()) feed.close();
  }

  private checkAll(): void {
    this.cancel = this.clock.after(CHECK_EVERY_MS, () => this.checkAll());
    for (const [tag, feed] of this.feeds) {
      if (feed.isUnused) {
        feed.close();
        this.feeds.delete(tag);
      } else {
        this.options.noteInterest(feed.key, tag);
        void feed.check();
      }
    }
    this.options.onCount(this.feeds.size);
  }
}
