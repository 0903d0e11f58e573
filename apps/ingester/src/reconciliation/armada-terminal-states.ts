import { ArmadaJobsError, fetchJobReports, type ArmadaJobs } from '@ajs/armada-client';
import { isJobEnd, type JobEnd, type JobId } from '@ajs/job-state';
import { NoApiJobsError, type TerminalStateSource } from '@ajs/subscriptions';

/** The terminal states of jobs from Armada's own `api.Jobs`, for failed jobs with the text of `GetJobErrors`. */
export class ArmadaTerminalStates implements TerminalStateSource {
  constructor(private readonly armada: Pick<ArmadaJobs, 'details' | 'errors'>) {}

  async terminalStatesOf(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobEnd>> {
    const ends = new Map<JobId, JobEnd>();
    try {
      for (const [jobId, { report }] of await fetchJobReports(this.armada, jobIds)) {
        if (report !== undefined && isJobEnd(report)) ends.set(jobId, report);
      }
    } catch (error) {
      const unsupported = error instanceof ArmadaJobsError && error.kind === 'unsupported';
      throw unsupported ? new NoApiJobsError(error.reason) : error;
    }
    return ends;
  }
}
