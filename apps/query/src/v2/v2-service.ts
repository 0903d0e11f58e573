import { JobStatusServiceService } from '@ajs/contracts/jobservice/v2/job_status_service';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { PREFIX_BYTES, framedInPlace } from '../grpc/response.js';
import type { UnaryMethod, UnaryReply } from '../grpc/unary-method.js';
import { RpcError, toRpcError } from '../rpc-error.js';
import { RedisReadError } from '../store/redis-read.js';
import { V2Error, toV2Error } from './error-info.js';
import { MAX_REFS_REQUEST_BYTES, checkRefCount } from './requests.js';
import type { DecodedBatchGetJobs, EncodedBatchGetJobs, V2Api } from './v2-api.js';
import type { OpenMethod } from './open-streams.js';
import type { V2Watchers } from './v2-streams.js';

/** Names of 1,024 bytes each, states and a token. */
const MAX_REQUEST_BYTES = 16 * 1_024;

export interface V2ServiceOptions {
  readonly api: V2Api;
  readonly batchGetJobs: Pick<EncodedBatchGetJobs, 'decode' | 'answer'>;
  /** How a call is answered that ran into this. */
  readonly failed: (error: unknown) => V2Error;
  /** Called at the end of each call, whichever protocol it came by. `seconds`: since it came. */
  readonly answered: (method: V2Method, code: status, seconds: number) => void;
}

export type V2Method = keyof V2Api | OpenMethod;

/** All methods of `jobservice.v2`, whichever protocol a call comes by. */
export interface V2Calls extends V2ServiceOptions {
  readonly watchers: V2Watchers;
}

/** The unary methods of `jobservice.v2.JobStatusService` over gRPC. */
export function v2Service({
  api,
  batchGetJobs,
  failed,
  answered,
}: V2ServiceOptions): Record<keyof V2Api, UnaryMethod> {
  const method = <Request, Response>(
    name: keyof V2Api,
    answer: (request: Request, caller: Caller) => Promise<Response>,
  ): UnaryMethod<Request, Response> => ({
    definition: JobStatusServiceService[name],
    maxRequestBytes: MAX_REQUEST_BYTES,
    // As an async function it would keep its request while the call waits, for minutes.
    answer: (request, caller) => answer(request, caller).then(toReply),
    failed,
    answered: (outcome, seconds) =>
      answered(name, outcome instanceof RpcError ? outcome.code : status.OK, seconds),
  });
  return {
    batchGetJobs: {
      ...method('batchGetJobs', api.batchGetJobs),
      definition: { ...JobStatusServiceService.batchGetJobs, requestDeserialize: batchGetJobs.decode },
      answer: async (request: DecodedBatchGetJobs, caller) => {
        const frame = framedInPlace(await batchGetJobs.answer(request, caller, PREFIX_BYTES));
        return { response: frame, frame };
      },
      maxRequestBytes: MAX_REFS_REQUEST_BYTES,
      check: checkRefCount,
    },
    waitForJobs: {
      ...method('waitForJobs', api.waitForJobs),
      maxRequestBytes: MAX_REFS_REQUEST_BYTES,
      check: checkRefCount,
    },
    getJobSet: method('getJobSet', api.getJobSet),
    listJobSets: method('listJobSets', api.listJobSets),
    listJobs: method('listJobs', api.listJobs),
  };
}

const toReply = <Response>(response: Response): UnaryReply<Response> => ({ response });

export interface V2Failures {
  readonly redisFailed: (error: Error) => void;
  /** A call ran into a defect of this service. */
  readonly internalError: (error: Error) => void;
}

/** How every method of `jobservice.v2` answers what it ran into: with an error that has a reason for programs. */
export function v2Failed({ redisFailed, internalError }: V2Failures): (error: unknown) => V2Error {
  return (error) => {
    if (!(error instanceof RedisReadError)) return toV2Error(toRpcError(error, internalError));
    redisFailed(error.cause);
    return new V2Error(status.UNAVAILABLE, 'REDIS_UNAVAILABLE', `${error.message}; retry`);
  };
}
