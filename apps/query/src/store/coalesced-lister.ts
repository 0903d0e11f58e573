import type { JobSetKey, JobId } from '@ajs/job-state';
import type { JobDetailsLister, JobLister, JobSetView } from '@ajs/job-store';
import { CoalescedReads } from './coalesced-reads.js';

/**
 * A lister that coalesces the reads of states ({@link CoalescedReads}); the others are rare, or coalesced by who makes them.
 */
export class CoalescedLister implements JobLister, JobDetailsLister {
  private readonly states: CoalescedReads<JobSetView>;

  /** @param onRead called with what each read of states brought */
  constructor(
    private readonly lister: JobLister & JobDetailsLister,
    onRead: (view: JobSetView) => void,
  ) {
    this.states = new CoalescedReads(async (key, jobs) => {
      const view = await lister.read(key, [...jobs.keys()]);
      onRead(view);
      return view;
    });
  }

  read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    return this.states.read(key, jobIds);
  }

  locate(jobIds: readonly JobId[]): ReturnType<JobLister['locate']> {
    return this.lister.locate(jobIds);
  }

  readDetails(
    ...read: Parameters<JobDetailsLister['readDetails']>
  ): ReturnType<JobDetailsLister['readDetails']> {
    return this.lister.readDetails(...read);
  }

  readUri(key: JobSetKey, externalUri: string): ReturnType<JobDetailsLister['readUri']> {
    return this.lister.readUri(key, externalUri);
  }
}
