import type { JobId, JobSetKey } from '@ajs/job-state';
import type { JobLister } from '@ajs/job-store';
import { inParts } from '@ajs/platform';

/** More jobs than this are located by several commands: a long script blocks Redis for everyone. */
const MAX_JOBS = 1_000;

interface Pending {
  readonly jobIds: Set<JobId>;
  readonly located: Promise<ReadonlyMap<JobId, JobSetKey>>;
}

/**
 * Coalesces the look-ups in the job index within one turn of the event loop: many calls that name a few jobs each cost Redis one command.
 * They begin at the end of the turn.
 */
export class CoalescedLocator implements Pick<JobLister, 'locate'> {
  private pending: Pending | undefined;

  constructor(private readonly lister: Pick<JobLister, 'locate'>) {}

  /** The job sets of these jobs, and of no others: who asks for others may see them where this caller may not. */
  async locate(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobSetKey>> {
    const pending = (this.pending ??= this.toBeLocated());
    for (const jobId of jobIds) pending.jobIds.add(jobId);
    const located = await pending.located;
    const own = new Map<JobId, JobSetKey>();
    for (const jobId of jobIds) {
      const key = located.get(jobId);
      if (key !== undefined) own.set(jobId, key);
    }
    return own;
  }

  private toBeLocated(): Pending {
    const jobIds = new Set<JobId>();
    const located = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.pending = undefined;
      return this.locateAll([...jobIds]);
    });
    return { jobIds, located };
  }

  private async locateAll(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobSetKey>> {
    const located = await Promise.all(inParts(jobIds, MAX_JOBS).map((part) => this.lister.locate(part)));
    return new Map(located.flatMap((some) => [...some]));
  }
}
