import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { isFailure, type JobEnd, type JobId } from '@ajs/job-state';
import { NoApiJobsError, type TerminalStateSource } from '@ajs/subscriptions';
import { toJobEnd } from '@ajs/wire-mapping';

/** The terminal states of jobs from Armada's own `api.Jobs`, for failed jobs with the text of `GetJobErrors`. */
export class ArmadaTerminalStates implements TerminalStateSource {
  constructor(private readonly armada: Pick<ArmadaJobs, 'details' | 'errors'>) {}

  async terminalStatesOf(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobEnd>> {
    try {
      return await this.fetch(jobIds);
    } catch (error) {
      const unsupported = error instanceof ArmadaJobsError && error.kind === 'unsupported';
      throw unsupported ? new NoApiJobsError(error.reason) : error;
    }
  }

  private async fetch(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobEnd>> {
    const details = await this.armada.details(jobIds, { spec: false, runs: false });
    const ends = new Map<JobId, JobEnd>();
    const failed: JobId[] = [];
    for (const [jobId, job] of details) {
      const end = toJobEnd(job);
      if (end === undefined) continue;
      ends.set(jobId, end);
      if (isFailure(end.state)) failed.push(jobId);
    }
    for (const [jobId, error] of await this.armada.errors(failed)) {
      const job = details.get(jobId);
      const end = job && toJobEnd(job, error);
      if (end !== undefined) ends.set(jobId, end);
    }
    return ends;
  }
}
