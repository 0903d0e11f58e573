import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { isFailure, type JobEnd } from '@ajs/job-state';
import { NoJobEndsError, type JobEnds } from '@ajs/subscriptions';
import { toJobEnd } from '@ajs/wire-mapping';

/** How jobs have ended, by Armada's own `api.Jobs`: with the text of `GetJobErrors` where they did not end well. */
export function armadaJobEnds(armada: Pick<ArmadaJobs, 'details' | 'errors'>): JobEnds {
  async function endsOf(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobEnd>> {
    const details = await armada.details(jobIds, { spec: false, runs: false });
    const ends = new Map<string, JobEnd>();
    const failed: string[] = [];
    for (const [jobId, told] of details) {
      const end = toJobEnd(told);
      if (end === undefined) continue;
      ends.set(jobId, end);
      if (isFailure(end.state)) failed.push(jobId);
    }
    for (const [jobId, error] of await armada.errors(failed)) {
      const told = details.get(jobId);
      const end = told && toJobEnd(told, error);
      if (end !== undefined) ends.set(jobId, end);
    }
    return ends;
  }

  return {
    endsOf: async (jobIds) => {
      try {
        return await endsOf(jobIds);
      } catch (error) {
        const unsupported = error instanceof ArmadaJobsError && error.kind === 'unsupported';
        throw unsupported ? new NoJobEndsError(error.reason) : error;
      }
    },
  };
}
