import type {
  JobRef,
  JobResult,
  WaitForJobsRequest,
  WaitForJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { WaitCondition } from '@ajs/contracts/jobservice/v2/job_status_service';
import { JobId, msBetween, type JobSetKey } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { fromV2JobState } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import { msUntilAnswer, type Caller } from '../caller.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';
import type { RpcError } from '../rpc-error.js';
import { absentAmong, type AbsentJobs } from './absent-jobs.js';
import { invalidRequest } from './error-info.js';
import { jobResultOf } from './job-result-of.js';
import { JobWait, hasArrived, type WaitGoal } from './job-wait.js';
import type { JobResultsQuery } from './job-results-query.js';
import type { OpenStreams } from './open-streams.js';
import { durationMs, requestedJobs, requestedStates, type RequestedJob } from './requests.js';

const DEFAULT_WAIT_MS = 60_000;

export interface JobWaiterOptions {
  readonly results: Pick<JobResultsQuery, 'run'>;
  readonly feeds: Pick<JobSetFeeds, 'of'>;
  readonly streams: Pick<OpenStreams, 'run'>;
  readonly absent: Pick<AbsentJobs, 'lookUpFor'>;
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
    const arrived = results.filter((result) => hasResultArrived(result, goal)).length;
    const leftMs = Math.min(
      Math.min(maxWaitMs, this.options.maxWaitMs) - msBetween(beganAt, monotonicNow()),
      msUntilAnswer(caller),
    );
    if (arrived >= goal.count || leftMs <= 0) return { satisfied: arrived >= goal.count, results };
    return this.wait(jobs, results, { ...goal, count: goal.count - arrived }, caller, leftMs);
  }

  private async wait(
    jobs: readonly RequestedJob[],
    results: JobResult[],
    goal: WaitGoal,
    caller: Caller,
    ms: number,
  ): Promise<WaitForJobsResponse> {
    const wait = new JobWait(this.options.feeds, goal);
    const keys = results.map(keyOf);
    const queues = new Set(keys.flatMap((key) => (key === undefined ? [] : [key.queue])));
    let denied: RpcError | undefined;
    const end = (error: RpcError): void => {
      // One that stops answers what it has.
      if (error.code !== status.UNAVAILABLE) denied = error;
      wait.end();
    };
    const waitFor = (place: number, key: JobSetKey): void =>
      wait.add(place, { key, jobId: JobId(results[place]?.ref?.jobId ?? '') });
    /** Of a job that no feed has told of yet. */
    const tell = (place: number, result: JobResult): void => {
      results[place] = result;
      const key = keyOf(result);
      if (keys[place] !== undefined || key === undefined) return;
      keys[place] = key;
      queues.add(key.queue);
      waitFor(place, key);
    };
    const satisfied = await this.options.streams.run(
      'waitForJobs',
      caller,
      { queues, jobs: results.length },
      end,
      () => {
        for (const [place, result] of results.entries()) {
          const key = keys[place];
          if (key !== undefined && !hasResultArrived(result, goal)) waitFor(place, key);
        }
        // Of the others their job sets tell once they exist.
        const unlocated = absentAmong(jobs, results, ({ key }) => key === undefined);
        wait.whenOver(this.options.absent.lookUpFor({ caller, jobs: unlocated, tell, end }));
        return wait.within(ms);
      },
    );
    if (denied !== undefined) throw denied;
    return {
      satisfied,
      results: results.map((result, place) => {
        const [told, key] = [wait.told.get(place), keys[place]];
        if (told?.job === undefined || key === undefined) return result;
        return jobResultOf(result.ref, key, told, this.options.feeds.of(key).moment);
      }),
    };
  }
}

function goalOf({ refs, condition, count, states }: WaitForJobsRequest): WaitGoal {
  if (count > refs.length) throw invalidRequest(`count is ${count}, more than the ${refs.length} refs`);
  if (!(condition in NAMES)) throw invalidRequest(`condition is no condition: ${condition}`);
  const byCondition = condition === WaitCondition.WAIT_CONDITION_ANY ? 1 : refs.length;
  const wanted = requestedStates(states);
  return { count: count > 0 ? count : byCondition, ...(wanted !== undefined && { states: wanted }) };
}

const NAMES = {
  [WaitCondition.WAIT_CONDITION_UNSPECIFIED]: true,
  [WaitCondition.WAIT_CONDITION_ANY]: true,
  [WaitCondition.WAIT_CONDITION_ALL]: true,
};

function hasResultArrived({ result }: JobResult, goal: WaitGoal): boolean {
  if (result?.$case !== 'job') return false;
  const state = fromV2JobState(result.value.state);
  return state !== undefined && hasArrived(state, goal);
}

/** The job set that a job is in, or may come to be in; `undefined` where only its id is known. */
export function keyOf({ ref, result }: JobResult): JobSetKey | undefined {
  const known: JobRef | undefined = result?.$case === 'job' ? result.value.ref : ref;
  if (known === undefined || known.queue === '') return undefined;
  return { queue: known.queue, jobSetId: known.jobSet };
}
