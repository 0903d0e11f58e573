import type { BoundedCache } from '@ajs/platform';
import { isTerminal, type JobSetKey } from '@ajs/job-state';
import type { DetailedJob, JobDetailsLister, JobLister, JobSetView, JobStatus } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import { requireRights, type JobRights } from '../../access/job-rights.js';
import { groupByJobSet } from './group-by-job-set.js';
import { fromRedis } from './retry-while-redis-unavailable.js';

type Moment = Pick<JobSetView, 'now' | 'subscription'>;

/** A job that the cache knows, and how its job set stood when it was read. */
export interface CachedJob {
  readonly key: JobSetKey;
  readonly status: JobStatus;
  readonly moment: Moment;
}

export interface CachedDetails {
  readonly key: JobSetKey;
  readonly job: DetailedJob;
  readonly moment: Moment;
}

export interface CachedJobsOptions {
  readonly lister: JobLister & JobDetailsLister;
  /** Takes note of the poll of a job set, aside. */
  readonly noteInterest: (key: JobSetKey, tag: string) => void;
  /** Ended jobs by id: their state never changes. */
  readonly terminalJobs: BoundedCache<string, CachedJob>;
}

/**
 * What the cache knows of jobs that are asked for by id alone: each is looked for in its own job set, all at the same time.
 * Whatever a caller may be told of counts as interest. Rejects with RedisAwayError, and with PERMISSION_DENIED before anything is read of a
 * job that the caller may not be told of.
 */
export class CachedJobs {
  constructor(private readonly options: CachedJobsOptions) {}

  /** The jobs that have a record. */
  async states(jobIds: readonly string[], rights: JobRights): Promise<Map<string, CachedJob>> {
    const { lister, terminalJobs: endedJobs, noteInterest } = this.options;
    const known = new Map<string, CachedJob>();
    const unread: string[] = [];
    for (const jobId of jobIds) {
      const ended = endedJobs.get(jobId);
      if (ended === undefined) unread.push(jobId);
      else known.set(jobId, ended);
    }
    await requireRights(rights, known, ({ key }) => key.queue);
    for (const { key } of known.values()) noteInterest(key, jobSetTag(key));
    await this.inEachJobSet(unread, rights, async (key, ids) => {
      const view = await fromRedis(lister.read(key, ids));
      for (const jobId of ids) {
        const status = view.jobs.get(jobId);
        if (status === undefined) continue;
        const job = { key, status, moment: view };
        known.set(jobId, job);
        if (isTerminal(status.state)) endedJobs.set(jobId, { key, status, moment: { now: view.now } });
      }
    });
    return known;
  }

  /** As {@link states}, with all that is known of them. */
  async details(jobIds: readonly string[], rights: JobRights): Promise<Map<string, CachedDetails>> {
    const known = new Map<string, CachedDetails>();
    await this.inEachJobSet(jobIds, rights, async (key, ids) => {
      const view = await fromRedis(this.options.lister.readDetails(key, ids));
      for (const [jobId, job] of view.jobs) known.set(jobId, { key, job, moment: view });
    });
    return known;
  }

  private async inEachJobSet(
    jobIds: readonly string[],
    rights: JobRights,
    read: (key: JobSetKey, ids: readonly string[]) => Promise<void>,
  ): Promise<void> {
    if (jobIds.length === 0) return;
    const { lister, noteInterest } = this.options;
    const located = await fromRedis(lister.locate(jobIds));
    await requireRights(rights, located, ({ queue }) => queue);
    const jobSets = groupByJobSet(Array.from(located, ([jobId, key]) => [key, jobId] as const));
    await Promise.all(
      jobSets.map(({ key, tag, items }) => {
        noteInterest(key, tag);
        return read(key, items);
      }),
    );
  }
}
