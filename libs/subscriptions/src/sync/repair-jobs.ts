import { report, type JobEnd, type JobRecord, type JobId } from '@ajs/job-state';

/** Adds the records that these ends change to those that have changed already; returns the ids of their jobs. */
export function repairJobs(
  known: ReadonlyMap<JobId, JobRecord>,
  changed: Map<JobId, JobRecord>,
  ends: ReadonlyMap<JobId, JobEnd>,
): readonly JobId[] {
  const repaired: JobId[] = [];
  for (const [jobId, end] of ends) {
    const before = changed.get(jobId) ?? known.get(jobId);
    const after = before && report(before, end);
    if (after === undefined || after === before) continue;
    changed.set(jobId, after);
    repaired.push(jobId);
  }
  return repaired;
}
