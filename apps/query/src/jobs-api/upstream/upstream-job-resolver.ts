import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import type { JobSetKey } from '@ajs/job-state';
import type { ProvisionalJobSink, ProvisionalJob } from '@ajs/job-store';
import { fromApiJobState, toMillis } from '@ajs/wire-mapping';
import { requireRights, type JobRights } from '../../access/job-rights.js';
import { groupByJobSet } from '../cache/group-by-job-set.js';
import { notSettled } from './upstream-errors.js';
import { RecentAnswers } from './recent-answers.js';

/** What Armada has just said of a job is good for so long, also that there is no such job. Milliseconds. */
const KEEP_MS = 1_000;

export interface UpstreamJobResolverOptions {
  readonly armada: Pick<ArmadaJobs, 'details'>;
  readonly provisionalJobs: Pick<ProvisionalJobSink, 'addProvisionalJobs'>;
  readonly noteInterest: (key: JobSetKey, tag: string) => void;
  readonly redisFailed: (error: Error) => void;
}

/** What Armada said of a job, and whether somebody who may be told of it has asked. */
interface ResolvedJob {
  readonly details: JobDetails;
  isLearned: boolean;
}

/**
 * Settles what the cache does not know: asks Armada, under our own identity, whether the job exists and where. What it finds is
 * learned, and its job set followed from then on, once somebody has asked who may be told of it.
 */
export class UpstreamJobResolver {
  private readonly recent = new RecentAnswers<ResolvedJob | 'absent'>(KEEP_MS);

  constructor(private readonly options: UpstreamJobResolverOptions) {}

  /**
   * The jobs that exist; of those left out Armada has just said that they do not. Rejects with UNAVAILABLE if it did not say, and
   * with PERMISSION_DENIED where one of them is not for this caller.
   */
  async resolve(jobIds: readonly string[], rights: JobRights): Promise<Map<string, JobDetails>> {
    const found = await this.find(jobIds);
    await requireRights(rights, found, ({ details }) => details.queue);
    const fresh = [...found.values()].filter(({ isLearned }) => !isLearned);
    for (const one of fresh) one.isLearned = true;
    this.record(fresh.map(({ details }) => details));
    return new Map(Array.from(found, ([jobId, { details }]) => [jobId, details]));
  }

  /** The queues of jobs, for no more than to see who may be told of them: nothing is learned, nothing followed. */
  async queuesOf(jobIds: readonly string[]): Promise<Map<string, string>> {
    const found = await this.find(jobIds);
    return new Map(Array.from(found, ([jobId, { details }]) => [jobId, details.queue]));
  }

  private async find(jobIds: readonly string[]): Promise<Map<string, ResolvedJob>> {
    const found = new Map<string, ResolvedJob>();
    const asked: string[] = [];
    for (const jobId of jobIds) {
      const recent = this.recent.get(jobId);
      if (recent === undefined) asked.push(jobId);
      else if (recent !== 'absent') found.set(jobId, recent);
    }
    if (asked.length === 0) return found;
    const answered = await this.ask(asked);
    for (const jobId of asked) {
      const details = answered.get(jobId);
      const finding = details === undefined ? 'absent' : { details, isLearned: false };
      this.recent.set(jobId, finding);
      if (finding !== 'absent') found.set(jobId, finding);
    }
    return found;
  }

  /** Keeps what Armada said of jobs, where they have no record yet, and has their job sets followed. */
  record(found: readonly JobDetails[]): void {
    const { provisionalJobs: learner, noteInterest, redisFailed } = this.options;
    const jobs = found.flatMap((details) => {
      const key = { queue: details.queue, jobSetId: details.jobset };
      const job = toLearnedJob(details);
      // A job without a job set can be in no stream.
      return job === undefined || key.queue === '' || key.jobSetId === '' ? [] : [[key, job] as const];
    });
    for (const { key, tag, items } of groupByJobSet(jobs)) {
      // Aside: whoever asked does not wait for it, and who asks again meanwhile is answered from memory.
      learner.addProvisionalJobs(key, items).catch(redisFailed);
      noteInterest(key, tag);
    }
  }

  private async ask(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobDetails>> {
    try {
      return await this.options.armada.details(jobIds, { spec: false, runs: false });
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      const [example] = jobIds;
      const others = jobIds.length === 1 ? '' : ` (and ${jobIds.length - 1} more)`;
      throw notSettled(`job ${example}${others} is not known here`, error);
    }
  }
}

function toLearnedJob({
  jobId,
  state,
  submittedTs,
  lastTransitionTs,
}: JobDetails): ProvisionalJob | undefined {
  const own = fromApiJobState(state);
  if (own === undefined) return undefined;
  const submittedAt = toMillis(submittedTs);
  return {
    jobId,
    state: own,
    changedAt: toMillis(lastTransitionTs) ?? submittedAt ?? 0,
    ...(submittedAt !== undefined && { submittedAt }),
  };
}
