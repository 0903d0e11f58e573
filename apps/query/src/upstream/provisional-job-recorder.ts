import type { JobDetails } from '@ajs/contracts/api/job';
import { JobId, ArmadaTime } from '@ajs/job-state';
import type { ProvisionalJob, ProvisionalJobSink } from '@ajs/job-store';
import { fromApiJobState, toArmadaTime } from '@ajs/wire-mapping';
import type { NoteInterest } from '../interest/note-interest.js';
import { groupByJobSet } from '../store/group-by-job-set.js';

/** Stores jobs that only Armada's `api.Jobs` knew as provisional, and has their job sets followed from then on. */
export class ProvisionalJobRecorder {
  constructor(
    private readonly sink: Pick<ProvisionalJobSink, 'addProvisionalJobs'>,
    private readonly noteInterest: NoteInterest,
    private readonly redisFailed: (error: Error) => void,
  ) {}

  /** Returns at once: the answer does not wait for it. A job that has a record keeps it. */
  record(reported: readonly JobDetails[]): void {
    const jobs = reported.flatMap((details) => {
      const key = { queue: details.queue, jobSetId: details.jobset };
      const job = toProvisionalJob(details);
      // No stream holds a job without a job set.
      return job === undefined || key.queue === '' || key.jobSetId === '' ? [] : [[key, job] as const];
    });
    for (const { key, tag, items } of groupByJobSet(jobs)) {
      this.sink.addProvisionalJobs(key, items).catch(this.redisFailed);
      this.noteInterest(key, tag);
    }
  }
}

/** `undefined` for a state that this version does not know. */
export function toProvisionalJob({
  jobId,
  state: apiState,
  submittedTs,
  lastTransitionTs,
}: JobDetails): ProvisionalJob | undefined {
  const state = fromApiJobState(apiState);
  if (state === undefined) return undefined;
  const submittedAt = toArmadaTime(submittedTs);
  return {
    jobId: JobId(jobId),
    state,
    changedAt: toArmadaTime(lastTransitionTs) ?? submittedAt ?? ArmadaTime(0),
    ...(submittedAt !== undefined && { submittedAt }),
  };
}
