import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';

/** The HTTP status of each gRPC code, as grpc-gateway maps them. */
const HTTP_STATUS: Record<status, number> = {
  [status.OK]: 200,
  [status.CANCELLED]: 408,
  [status.UNKNOWN]: 500,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 400,
  [status.UNIMPLEMENTED]: 501,
  [status.INTERNAL]: 500,
  [status.UNAVAILABLE]: 503,
  [status.DATA_LOSS]: 500,
  [status.UNAUTHENTICATED]: 401,
};

/** An error with an HTTP status other than that of its gRPC code. */
export class HttpError extends RpcError {
  constructor(
    readonly httpStatus: number,
    code: status,
    details: string,
  ) {
    super(code, details);
  }
}

export function httpStatusOf(error: RpcError): number {
  return error instanceof HttpError ? error.httpStatus : HTTP_STATUS[error.code];
}
