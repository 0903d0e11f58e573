import type { JobSetKey, JobId } from '@ajs/job-state';
import type { JobDetailsLister, JobLister, JobSetView } from '@ajs/job-store';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';

/** More jobs than this are read by several commands: a long script blocks Redis for everyone. */
const MAX_JOBS = 200;

interface Pending {
  readonly key: JobSetKey;
  readonly jobIds: Set<JobId>;
  readonly view: Promise<JobSetView>;
}

/**
 * Coalesces the reads of one job set within one turn of the event loop: under load a poll then costs Redis a fraction of a command. A
 * view may hold more jobs than were requested, and is never older than the request. Only {@link read} is coalesced: the others are rare.
 */
export class CoalescedLister implements JobLister, JobDetailsLister {
  private readonly pending = new Map<JobSetTag, Pending>();

  /** @param onRead called with what each read of states brought */
  constructor(
    private readonly lister: JobLister & JobDetailsLister,
    private readonly onRead: (view: JobSetView) => void,
  ) {}

  read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    const tag = jobSetTag(key);
    let pending = this.pending.get(tag);
    if (pending === undefined || pending.jobIds.size + jobIds.length > MAX_JOBS) {
      const requested = new Set<JobId>();
      pending = { key, jobIds: requested, view: this.readSoon(tag, key, requested) };
      this.pending.set(tag, pending);
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

  private async readSoon(tag: JobSetTag, key: JobSetKey, jobIds: Set<JobId>): Promise<JobSetView> {
    await new Promise((resolve) => setImmediate(resolve));
    this.pending.delete(tag);
    const view = await this.lister.read(key, [...jobIds]);
    this.onRead(view);
    return view;
  }
}
