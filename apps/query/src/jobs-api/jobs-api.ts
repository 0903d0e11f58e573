import type {
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
import type { Caller } from '../caller.js';

/**
 * The methods of `api.Jobs`, whichever protocol a call came by. Each rejects with an RpcError where the call is answered with
 * an error.
 */
export interface JobsApi {
  getJobStatus(request: JobStatusRequest, caller: Caller): Promise<JobStatusResponse>;
  getJobStatusUsingExternalJobUri(
    request: JobStatusUsingExternalJobUriRequest,
    caller: Caller,
  ): Promise<JobStatusResponse>;
  getJobDetails(request: JobDetailsRequest, caller: Caller): Promise<JobDetailsResponse>;
  getJobErrors(request: JobErrorsRequest, caller: Caller): Promise<JobErrorsResponse>;
  getJobRunDetails(request: JobRunDetailsRequest, caller: Caller): Promise<JobRunDetailsResponse>;
  getActiveQueues(caller: Caller): Promise<GetActiveQueuesResponse>;
}
