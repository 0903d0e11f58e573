import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import type { JobSetKey } from '@ajs/job-state';
import type { JobLearner, LearnedJob } from '@ajs/job-store';
import { fromApiJobState, toMillis } from '@ajs/wire-mapping';
import { byJobSet } from './by-job-set.js';
import { notSettled } from './from-armada.js';
import { RecentAnswers } from './recent-answers.js';

/** What Armada has just said of a job is good for so long, also that there is no such job. Milliseconds. */
const KEEP_MS = 1_000;

export interface LookUpsOptions {
  readonly armada: Pick<ArmadaJobs, 'details'>;
  readonly learner: Pick<JobLearner, 'learnJobs'>;
  readonly noteInterest: (key: JobSetKey, tag: string) => void;
  readonly redisFailed: (error: Error) => void;
}

/**
 * Settles what the cache does not know: asks Armada, under our own identity, whether the job exists and where. What it finds is
 * learned, and its job set followed from then on.
 */
export class LookUps {
  private readonly recent = new RecentAnswers<JobDetails | 'absent'>(KEEP_MS);

  constructor(private readonly options: LookUpsOptions) {}

  /** The jobs that exist; of those left out Armada has just said that they do not. Rejects with UNAVAILABLE if it did not say. */
  async settle(jobIds: readonly string[]): Promise<Map<string, JobDetails>> {
    const settled = new Map<string, JobDetails>();
    const asked: string[] = [];
    for (const jobId of jobIds) {
      const recent = this.recent.get(jobId);
      if (recent === undefined) asked.push(jobId);
      else if (recent !== 'absent') settled.set(jobId, recent);
    }
    if (asked.length === 0) return settled;
    const found = await this.ask(asked);
    for (const jobId of asked) {
      const details = found.get(jobId);
      this.recent.set(jobId, details ?? 'absent');
      if (details !== undefined) settled.set(jobId, details);
    }
    this.learn([...found.values()]);
    return settled;
  }

  /** Keeps what Armada said of jobs, where they have no record yet, and has their job sets followed. */
  learn(found: readonly JobDetails[]): void {
    const { learner, noteInterest, redisFailed } = this.options;
    const jobs = found.flatMap((details) => {
      const key = { queue: details.queue, jobSetId: details.jobset };
      const job = toLearnedJob(details);
      // A job without a job set can be in no stream.
      return job === undefined || key.queue === '' || key.jobSetId === '' ? [] : [[key, job] as const];
    });
    for (const { key, tag, items } of byJobSet(jobs)) {
      // Aside: whoever asked does not wait for it, and who asks again meanwhile is answered from memory.
      learner.learnJobs(key, items).catch(redisFailed);
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

function toLearnedJob({ jobId, state, submittedTs, lastTransitionTs }: JobDetails): LearnedJob | undefined {
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
