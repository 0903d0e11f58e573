import type { JobsServer } from '@ajs/contracts/api/job';
import { status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { callerOf } from '../grpc/caller-of.js';
import type { Admission } from '../load/admission.js';
import { toRpcError } from '../rpc-error.js';
import type { JobsApi } from './jobs-api.js';

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
export function jobsService({
  jobs,
  admission,
  access,
  answered,
  internalError,
}: JobsServiceOptions): JobsServer {
  const unary =
    <Request, Response>(
      method: keyof JobsApi,
      answer: (request: Request, caller: Caller) => Promise<Response>,
    ) =>
    (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
      const began = performance.now();
      const done = (code: status): void => answered(method, code, (performance.now() - began) / 1000);
      const caller = callerOf(call, access.keyOf);
      admission
        .run(caller, () => answer(call.request, caller))
        .then(
          (response) => {
            done(status.OK);
            callback(null, response);
          },
          (error: unknown) => {
            const { code, details } = toRpcError(error, internalError);
            done(code);
            callback({ code, details });
          },
        );
    };
  return {
    getJobStatus: unary('getJobStatus', jobs.getJobStatus),
    getJobStatusUsingExternalJobUri: unary(
      'getJobStatusUsingExternalJobUri',
      jobs.getJobStatusUsingExternalJobUri,
    ),
    getJobDetails: unary('getJobDetails', jobs.getJobDetails),
    getJobErrors: unary('getJobErrors', jobs.getJobErrors),
    getJobRunDetails: unary('getJobRunDetails', jobs.getJobRunDetails),
    getActiveQueues: unary('getActiveQueues', jobs.getActiveQueues),
  };
}
