import {
  JobsService,
  type JobDetailsRequest,
  type JobErrorsRequest,
  type JobRunDetailsRequest,
  type JobStatusRequest,
} from '@ajs/contracts/api/job';
import { MAX_ID_BYTES } from '@ajs/job-state';
import { countOfField, decodeJobStatusRequest, encodeJobStates, type JobStates } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import type { UnaryMethod } from '../grpc/unary-method.js';
import type { Admission } from '../load/admission.js';
import { RpcError, toRpcError } from '../rpc-error.js';
import type { JobsApi } from './jobs-api.js';
import { tooManyIds } from './requested-ids.js';

/** The number of the field with the ids, in every request that has one. */
const IDS_FIELD = 1;
/** An id as an element of a field: with the field's tag and the id's length. */
const ENCODED_ID_BYTES = MAX_ID_BYTES + 2;
/** What is in a request beside ids: flags. */
const OTHER_BYTES = 1_024;
/** A queue and a job set id of 1,024 bytes each, and a URI. */
const URI_REQUEST_BYTES = 64 * 1_024;

export interface JobsServiceOptions {
  readonly jobs: JobsApi;
  readonly admission: Admission;
  readonly access: Pick<Access, 'authenticate' | 'keyOf'>;
  /** The most ids in one call. */
  readonly maxJobIds: number;
  readonly answered: (method: keyof JobsApi, code: status, seconds: number) => void;
  /** A call ran into a defect of this service. */
  readonly internalError: (error: Error) => void;
}

/** `api.Jobs` over gRPC. */
export function jobsService(options: JobsServiceOptions): Record<keyof JobsApi, UnaryMethod> {
  const { jobs, maxJobIds, answered, internalError } = options;
  const method = <Request, Response>(
    name: keyof JobsApi,
    maxRequestBytes: number,
    answer: (request: Request, caller: Caller) => Promise<Response>,
  ): UnaryMethod<Request, Response> => ({
    definition: JobsService[name],
    maxRequestBytes,
    answer: async (request, caller) => ({ response: await answer(request, caller) }),
    failed: (error) => toRpcError(error, internalError),
    answered: (outcome, seconds) =>
      answered(name, outcome instanceof RpcError ? outcome.code : status.OK, seconds),
  });
  const byIds = <Request, Response>(
    name: keyof JobsApi,
    field: 'job_ids' | 'run_ids',
    answer: (request: Request, caller: Caller) => Promise<Response>,
  ): UnaryMethod<Request, Response> => ({
    ...method(name, maxJobIds * ENCODED_ID_BYTES + OTHER_BYTES, answer),
    check: (request) => {
      const count = countOfField(request, IDS_FIELD);
      if (count > maxJobIds) throw tooManyIds(field, count, maxJobIds);
    },
  });
  return {
    getJobStatus: {
      ...byIds<JobStatusRequest, JobStates>('getJobStatus', 'job_ids', jobs.getJobStatus),
      definition: {
        ...JobsService.getJobStatus,
        requestDeserialize: decodeJobStatusRequest,
        responseSerialize: encodeJobStates,
      },
    },
    getJobStatusUsingExternalJobUri: method(
      'getJobStatusUsingExternalJobUri',
      URI_REQUEST_BYTES,
      jobs.getJobStatusUsingExternalJobUri,
    ),
    getJobDetails: byIds<JobDetailsRequest, unknown>('getJobDetails', 'job_ids', jobs.getJobDetails),
    getJobErrors: byIds<JobErrorsRequest, unknown>('getJobErrors', 'job_ids', jobs.getJobErrors),
    getJobRunDetails: byIds<JobRunDetailsRequest, unknown>(
      'getJobRunDetails',
      'run_ids',
      jobs.getJobRunDetails,
    ),
    getActiveQueues: method('getActiveQueues', OTHER_BYTES, jobs.getActiveQueues),
  };
}
