import type { JobId, JobSetKey } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import type { Caller } from '../caller.js';
import type { JobListener } from '../changes/job-listeners.js';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';

/** A job whose changes are awaited. */
export interface AwaitedJob {
  readonly key: JobSetKey;
  readonly jobId: JobId;
}

/** Who made the request. */
export interface AwaitedJobsListener {
  readonly caller: Pick<Caller, 'key'>;
  /** Called with a job that has changed, or as it is, and a place of it in the request that names it. */
  heard(place: number, job: ChangedJob, feed: JobSetFeed): void;
}

/** The jobs of one request whose changes are awaited, each by its places in the request: it may be named twice. */
export class AwaitedJobs {
  private last: AwaitedPlace | undefined;

  constructor(
    private readonly feeds: Pick<JobSetFeeds, 'of'>,
    private readonly listener: AwaitedJobsListener,
  ) {}

  /** Until {@link stop}. */
  add(place: number, { key, jobId }: AwaitedJob): void {
    this.last = new AwaitedPlace(
      this.feeds.of(key, this.listener.caller),
      jobId,
      place,
      this.listener,
      this.last,
    );
    this.last.begin();
  }

  stop(): void {
    for (let each = this.last; each !== undefined; each = each.before) each.stop();
  }
}

/** Nearly every request has one: a list of them by links takes less than an array, which has room for seventeen. */
class AwaitedPlace implements JobListener {
  constructor(
    private readonly feed: JobSetFeed,
    private readonly jobId: JobId,
    private readonly place: number,
    private readonly listener: AwaitedJobsListener,
    readonly before: AwaitedPlace | undefined,
  ) {}

  begin(): void {
    this.feed.listenTo(this.jobId, this);
  }

  job(job: ChangedJob): void {
    this.listener.heard(this.place, job, this.feed);
  }

  stop(): void {
    this.feed.stopListeningTo(this.jobId, this);
  }
}
