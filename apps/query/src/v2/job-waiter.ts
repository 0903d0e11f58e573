import type {
  WaitForJobsRequest,
  WaitForJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { WaitCondition } from '@ajs/contracts/jobservice/v2/job_status_service';
import { msBetween } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { msUntilAnswer, type Caller } from '../caller.js';
import { invalidRequest } from './error-info.js';
import { JobWait, type JobWaitOptions, type WaitGoal } from './job-wait.js';
import type { JobResultsQuery } from './job-results-query.js';
import { durationMs, requestedJobs, requestedStates } from './requests.js';

const DEFAULT_WAIT_MS = 60_000;

export interface JobWaiterOptions extends JobWaitOptions {
  readonly results: Pick<JobResultsQuery, 'run'>;
  /** The longest that a caller may wait. Milliseconds. */
  readonly maxWaitMs: number;
}

/** Waits for jobs: answers from one read where that is enough, else once the changes of their job sets say so. */
export class JobWaiter {
  constructor(private readonly options: JobWaiterOptions) {}

  async waitForJobs(request: WaitForJobsRequest, caller: Caller): Promise<WaitForJobsResponse> {
    const jobs = requestedJobs(request.refs);
    const goal = goalOf(request);
    const maxWaitMs = durationMs('max_wait', request.maxWait) ?? DEFAULT_WAIT_MS;
    const beganAt = monotonicNow();
    const results = await this.options.results.run(jobs, caller);
    const wait = new JobWait(this.options, caller, goal, results);
    const leftMs = Math.min(
      Math.min(maxWaitMs, this.options.maxWaitMs) - msBetween(beganAt, monotonicNow()),
      msUntilAnswer(caller),
    );
    return wait.isSatisfied || leftMs <= 0 ? wait.response() : wait.within(leftMs, jobs);
  }
}

function goalOf({ refs, condition, count, states }: WaitForJobsRequest): WaitGoal {
  if (count > refs.length) throw invalidRequest(`count is ${count}, more than the ${refs.length} refs`);
  if (!(condition in NAMES)) throw invalidRequest(`condition is unknown: ${condition}`);
  const byCondition = condition === WaitCondition.WAIT_CONDITION_ANY ? 1 : refs.length;
  const wanted = requestedStates(states);
  return { count: count > 0 ? count : byCondition, ...(wanted !== undefined && { states: wanted }) };
}

const NAMES = {
  [WaitCondition.WAIT_CONDITION_UNSPECIFIED]: true,
  [WaitCondition.WAIT_CONDITION_ANY]: true,
  [WaitCondition.WAIT_CONDITION_ALL]: true,
};
