import type {
  BatchGetJobsRequest,
  BatchGetJobsResponse,
  GetJobSetRequest,
  GetJobSetResponse,
  ListJobSetsRequest,
  ListJobSetsResponse,
  ListJobsRequest,
  ListJobsResponse,
  WaitForJobsRequest,
  WaitForJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { Caller } from '../caller.js';
import type { JobResultsQuery } from './job-results-query.js';
import type { JobSetQueries } from './job-set-queries.js';
import type { JobWaiter } from './job-waiter.js';
import { durationMs, requestedJobs } from './requests.js';

type Answer<Request, Response> = (request: Request, caller: Caller) => Promise<Response>;

/**
 * The unary methods of `jobservice.v2`, whichever protocol a call came by. Each rejects with an RpcError, or a RedisReadError, where the
 * call is answered with an error.
 */
export interface V2Api {
  readonly batchGetJobs: Answer<BatchGetJobsRequest, BatchGetJobsResponse>;
  readonly waitForJobs: Answer<WaitForJobsRequest, WaitForJobsResponse>;
  readonly getJobSet: Answer<GetJobSetRequest, GetJobSetResponse>;
  readonly listJobSets: Answer<ListJobSetsRequest, ListJobSetsResponse>;
  readonly listJobs: Answer<ListJobsRequest, ListJobsResponse>;
}

/** BatchGetJobs with an encoded response: a call is about a thousand jobs, most of which have ended and are kept so. */
export function encodedBatchGetJobs(
  results: Pick<JobResultsQuery, 'runEncoded'>,
): Answer<BatchGetJobsRequest, Uint8Array> {
  return ({ refs, maxAge }, caller) =>
    results.runEncoded(requestedJobs(refs), caller, durationMs('max_age', maxAge));
}

export function v2Api(results: JobResultsQuery, jobSets: JobSetQueries, waiter: JobWaiter): V2Api {
  return {
    batchGetJobs: async ({ refs, maxAge }, caller) => {
      const maxAgeMs = durationMs('max_age', maxAge);
      return { results: await results.run(requestedJobs(refs), caller, maxAgeMs) };
    },
    waitForJobs: (request, caller) => waiter.waitForJobs(request, caller),
    getJobSet: (request, caller) => jobSets.getJobSet(request, caller),
    listJobSets: (request, caller) => jobSets.listJobSets(request, caller),
    listJobs: (request, caller) => jobSets.listJobs(request, caller),
  };
}
