import type { JobId, JobSetKey } from '@ajs/job-state';
import type { JobVersion } from '@ajs/job-store';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { fromRedis } from './redis-read.js';

/** More jobs of several requests are read by several commands: a long script blocks Redis for everyone. */
const MAX_JOBS = 200;

/** The jobs of a read, each with what its requests have seen of it, where all of them have seen the same. */
export type RequestedJobs = ReadonlyMap<JobId, JobVersion | undefined>;

interface Pending<View> {
  readonly key: JobSetKey;
  readonly jobs: Map<JobId, JobVersion | undefined>;
  readonly view: Promise<View>;
  readonly answer: (view: Promise<View>) => void;
}

/**
 * Coalesces the reads of one job set within one turn of the event loop: under load a request then costs Redis a fraction of a command. They
 * begin at the end of the turn, so that a lone one does not wait for another turn. A view may hold more jobs than were requested, and is
 * never older than the request. Rejects with RedisReadError: all that wait for a read share one promise of it.
 */
export class CoalescedReads<View> {
  /** In the order in which they were requested; those of {@link open} take more jobs. */
  private pending: Pending<View>[] = [];
  private open = new Map<JobSetTag, Pending<View>>();

  constructor(private readonly readNow: (key: JobSetKey, jobs: RequestedJobs) => Promise<View>) {}

  /** @param seen what the request has seen of each job, at the job's place; left out: nothing */
  read(
    key: JobSetKey,
    jobIds: readonly JobId[],
    seen: readonly (JobVersion | undefined)[] = [],
  ): Promise<View> {
    const tag = jobSetTag(key);
    let pending = this.open.get(tag);
    if (pending === undefined || !hasRoomFor(jobIds, pending)) {
      pending = toBeRead(key);
      this.open.set(tag, pending);
      if (this.pending.push(pending) === 1) setImmediate(() => this.readAll());
    }
    const { jobs } = pending;
    for (let i = 0; i < jobIds.length; i++) {
      const jobId = jobIds[i];
      if (jobId === undefined) continue;
      const version = seen[i];
      const isSeenByAll = !jobs.has(jobId) || jobs.get(jobId) === version;
      jobs.set(jobId, isSeenByAll ? version : undefined);
    }
    return pending.view;
  }

  private readAll(): void {
    const { pending } = this;
    this.pending = [];
    // Not cleared: all that an old map ever held would be kept from V8's young collections (docs/performance.md, Young objects in old sets).
    this.open = new Map();
    for (const { key, jobs, answer } of pending) answer(fromRedis(this.readNow(key, jobs)));
  }
}

/** Jobs that are read already need none. */
function hasRoomFor(jobIds: readonly JobId[], { jobs }: { readonly jobs: RequestedJobs }): boolean {
  let room = MAX_JOBS - jobs.size;
  for (const jobId of jobIds) if (!jobs.has(jobId) && room-- <= 0) return false;
  return true;
}

function toBeRead<View>(key: JobSetKey): Pending<View> {
  let answer: Pending<View>['answer'] = () => undefined;
  const view = new Promise<View>((resolve) => (answer = resolve));
  return { key, jobs: new Map(), view, answer };
}
