import {
  BatchGetJobsRequest,
  BatchGetJobsResponse,
  type GetJobSetRequest,
  type GetJobSetResponse,
  type ListJobSetsRequest,
  type ListJobSetsResponse,
  type ListJobsRequest,
  type ListJobsResponse,
  type WaitForJobsRequest,
  type WaitForJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { decodeBatchGetJobsRequest } from '@ajs/wire-mapping';
import type { Caller } from '../caller.js';
import type { JobResultsQuery } from './job-results-query.js';
import type { JobSetQueries } from './job-set-queries.js';
import type { JobWaiter } from './job-waiter.js';
import type { KnownJob, KnownJobs } from './known-jobs.js';
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

/** BatchGetJobs as bytes: callers ask for the same thousand jobs again and again, most of which have not changed meanwhile. */
export class EncodedBatchGetJobs {
  constructor(
    private readonly results: Pick<JobResultsQuery, 'runEncoded'>,
    private readonly knownJobs: KnownJobs,
  ) {}

  /** Throws where the bytes cannot be decoded. */
  readonly decode = (bytes: Buffer): DecodedBatchGetJobs =>
    decodeBatchGetJobsRequest(bytes, this.knownJobs.find);

  /** A `BatchGetJobsResponse`, behind so many bytes of room for what its transport puts before it. */
  async answer({ refs, maxAge }: DecodedBatchGetJobs, caller: Caller, roomBytes = 0): Promise<Buffer> {
    return this.results.runEncoded(requestedJobs(refs), caller, durationMs('max_age', maxAge), roomBytes);
  }
}

/** A request, with the jobs that are known by its refs in the place of these. */
export type DecodedBatchGetJobs = ReturnType<typeof decodeBatchGetJobsRequest<KnownJob>>;

export function v2Api(batchGetJobs: EncodedBatchGetJobs, jobSets: JobSetQueries, waiter: JobWaiter): V2Api {
  return {
    batchGetJobs: async (request, caller) => {
      const bytes = Buffer.from(BatchGetJobsRequest.encode(request).finish());
      return BatchGetJobsResponse.decode(await batchGetJobs.answer(batchGetJobs.decode(bytes), caller));
    },
    waitForJobs: (request, caller) => waiter.waitForJobs(request, caller),
    getJobSet: (request, caller) => jobSets.getJobSet(request, caller),
    listJobSets: (request, caller) => jobSets.listJobSets(request, caller),
    listJobs: (request, caller) => jobSets.listJobs(request, caller),
  };
}
