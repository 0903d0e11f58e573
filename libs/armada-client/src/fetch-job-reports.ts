import type { JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { isFailure, type JobId, type JobReport } from '@ajs/job-state';
import { fromApiJobState, toJobReport } from '@ajs/wire-mapping';
import { ArmadaJobsError, type ArmadaJobs } from './armada-jobs.js';

/** A job as Armada's own `api.Jobs` reports it. */
export interface ReportedJob {
  /** With all runs; with the spec where it was wanted. */
  readonly details: JobDetails;
  /** Left out in a state that this version does not know. */
  readonly report?: JobReport;
}

/**
 * Where jobs stand by Armada's own `api.Jobs`, those that failed with the reason. Left out are jobs that Armada does not have. Rejects with
 * {@link ArmadaJobsError}; where only the reasons cannot be had, the reports come without.
 */
export async function fetchJobReports(
  armada: Pick<ArmadaJobs, 'details' | 'errors'>,
  jobIds: readonly JobId[],
  { spec = false }: { readonly spec?: boolean } = {},
): Promise<Map<JobId, ReportedJob>> {
  const details = await armada.details(jobIds, { spec, runs: true });
  const errors = await errorsOf(armada, details);
  return new Map(
    Array.from(details, ([jobId, job]) => {
      const report = toJobReport(job, errors.get(jobId));
      return [jobId, { details: job, ...(report !== undefined && { report }) }];
    }),
  );
}

async function errorsOf(
  armada: Pick<ArmadaJobs, 'errors'>,
  details: ReadonlyMap<JobId, JobDetails>,
): Promise<ReadonlyMap<JobId, string>> {
  const failed = Array.from(details.keys()).filter((jobId) => {
    const state = fromApiJobState(details.get(jobId)?.state ?? JobState.UNKNOWN);
    return state !== undefined && isFailure(state);
  });
  if (failed.length === 0) return new Map();
  try {
    return await armada.errors(failed);
  } catch (error) {
    if (!(error instanceof ArmadaJobsError)) throw error;
    return new Map();
  }
}
