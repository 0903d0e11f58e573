import type { JobId, JobSetKey } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import type { JobListener } from '../changes/job-listeners.js';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';

/** A job whose changes are awaited. */
export interface AwaitedJob {
  readonly key: JobSetKey;
  readonly jobId: JobId;
}

/** Called with a job that has changed, or as it is, and a place of it in the request that names it. */
export type HearJob = (place: number, job: ChangedJob) => void;

/** The jobs of one request whose changes are awaited, each by its places in the request: it may be named twice. */
export class AwaitedJobs {
  private readonly jobSets: AwaitedJobSet[] = [];

  constructor(
    private readonly feeds: Pick<JobSetFeeds, 'of'>,
    private readonly heard: HearJob,
  ) {}

  /** Until {@link stop}. */
  add(place: number, { key, jobId }: AwaitedJob): void {
    const feed = this.feeds.of(key);
    let jobSet = this.jobSets.find((each) => each.feed === feed);
    if (jobSet === undefined) this.jobSets.push((jobSet = new AwaitedJobSet(feed, this.heard)));
    jobSet.add(place, jobId);
  }

  stop(): void {
    for (const jobSet of this.jobSets) jobSet.stop();
  }
}

/** One listener for all jobs of a job set. */
class AwaitedJobSet implements JobListener {
  private readonly places = new Map<JobId, number[]>();

  constructor(
    readonly feed: JobSetFeed,
    private readonly heard: HearJob,
  ) {}

  add(place: number, jobId: JobId): void {
    const places = this.places.get(jobId);
    if (places === undefined) this.places.set(jobId, [place]);
    else places.push(place);
    // For a further place, too: it is to be told of the job as it is.
    this.feed.listenTo(jobId, this);
  }

  job(job: ChangedJob): void {
    for (const place of this.places.get(job.jobId) ?? []) this.heard(place, job);
  }

  stop(): void {
    for (const jobId of this.places.keys()) this.feed.stopListeningTo(jobId, this);
  }
}
