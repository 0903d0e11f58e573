import type { JobSetKey, JobId } from '@ajs/job-state';
import type { JobDetailsLister, JobLister, JobSetView } from '@ajs/job-store';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { fromRedis } from './redis-read.js';

/** More jobs of several requests are read by several commands: a long script blocks Redis for everyone. */
const MAX_JOBS = 200;

interface Pending {
  readonly key: JobSetKey;
  readonly jobIds: Set<JobId>;
  readonly view: Promise<JobSetView>;
  readonly answer: (view: Promise<JobSetView>) => void;
}

/**
 * Coalesces the reads of one job set within one turn of the event loop: under load a poll then costs Redis a fraction of a command. They
 * begin at the end of the turn, so that a lone one does not wait for another turn. A view may hold more jobs than were requested, and is
 * never older than the request. Only {@link read} is coalesced: the others are rare. It rejects with RedisReadError: all that wait for a read
 * share one promise of it.
 */
export class CoalescedLister implements JobLister, JobDetailsLister {
  /** In the order in which they were requested; those of {@link open} take more jobs. */
  private pending: Pending[] = [];
  private readonly open = new Map<JobSetTag, Pending>();

  /** @param onRead called with what each read of states brought */
  constructor(
    private readonly lister: JobLister & JobDetailsLister,
    private readonly onRead: (view: JobSetView) => void,
  ) {}

  read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    const tag = jobSetTag(key);
    let pending = this.open.get(tag);
    if (pending === undefined || !hasRoomFor(jobIds, pending)) {
      pending = toBeRead(key);
      this.open.set(tag, pending);
      if (this.pending.push(pending) === 1) setImmediate(() => this.readAll());
    }
    for (const jobId of jobIds) pending.jobIds.add(jobId);
    return pending.view;
  }

  locate(jobIds: readonly JobId[]): ReturnType<JobLister['locate']> {
    return this.lister.locate(jobIds);
  }

  readDetails(key: JobSetKey, jobIds: readonly JobId[]): ReturnType<JobDetailsLister['readDetails']> {
    return this.lister.readDetails(key, jobIds);
  }

  readUri(key: JobSetKey, externalUri: string): ReturnType<JobDetailsLister['readUri']> {
    return this.lister.readUri(key, externalUri);
  }

  private readAll(): void {
    const { pending } = this;
    this.pending = [];
    this.open.clear();
    for (const { key, jobIds, answer } of pending) answer(this.readNow(key, [...jobIds]));
  }

  private async readNow(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    const view = await fromRedis(this.lister.read(key, jobIds));
    this.onRead(view);
    return view;
  }
}

/** Jobs that are read already need none. */
function hasRoomFor(jobIds: readonly JobId[], { jobIds: requested }: Pending): boolean {
  let room = MAX_JOBS - requested.size;
  return jobIds.every((jobId) => requested.has(jobId) || room-- > 0);
}

function toBeRead(key: JobSetKey): Pending {
  let answer: Pending['answer'] = () => undefined;
  const view = new Promise<JobSetView>((resolve) => (answer = resolve));
  return { key, jobIds: new Set(), view, answer };
}
