import type {
  GetActiveQueuesRequest,
  GetActiveQueuesResponse,
  JobDetailsRequest,
  JobDetailsResponse,
  JobErrorsRequest,
  JobErrorsResponse,
  JobRunDetailsRequest,
  JobRunDetailsResponse,
  JobStatusRequest,
  JobStatusResponse,
  JobStatusUsingExternalJobUriRequest,
} from '@ajs/contracts/api/job';
import type { JobStates } from '@ajs/wire-mapping';
import type { Caller } from '../caller.js';

/**
 * The methods of `api.Jobs`, whichever protocol a call came by. Each rejects with an RpcError where the call is answered with
 * an error.
 */
export interface JobsApi {
  readonly getJobStatus: Answer<JobStatusRequest, JobStates>;
  readonly getJobStatusUsingExternalJobUri: Answer<JobStatusUsingExternalJobUriRequest, JobStatusResponse>;
  readonly getJobDetails: Answer<JobDetailsRequest, JobDetailsResponse>;
  readonly getJobErrors: Answer<JobErrorsRequest, JobErrorsResponse>;
  readonly getJobRunDetails: Answer<JobRunDetailsRequest, JobRunDetailsResponse>;
  readonly getActiveQueues: Answer<GetActiveQueuesRequest, GetActiveQueuesResponse>;
}

type Answer<Request, Response> = (request: Request, caller: Caller) => Promise<Response>;
