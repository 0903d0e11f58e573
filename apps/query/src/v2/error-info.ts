import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata, status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';

const DOMAIN = 'armadaproject.io';
const TYPE_URL = 'type.googleapis.com/google.rpc.ErrorInfo';
const STATUS_DETAILS = 'grpc-status-details-bin';

/** What programs may act on, beside the code of gRPC. */
export type ErrorReason =
  | 'INVALID_REQUEST'
  | 'CREDENTIALS_INVALID'
  | 'PERMISSION_DENIED'
  | 'QUEUE_NOT_FOUND'
  | 'PAGE_TOKEN_EXPIRED'
  | 'RESUME_TOKEN_EXPIRED'
  | 'LIMIT_REACHED'
  | 'REDIS_UNAVAILABLE'
  | 'NOT_SYNCED_IN_TIME'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'INTERNAL';

/** An error of `jobservice.v2`, with a reason of its own. */
export class V2Error extends RpcError {
  /** @param trailers sent with the error, beside its reason */
  constructor(
    code: status,
    readonly reason: ErrorReason,
    details: string,
    trailers = new Metadata(),
  ) {
    const metadata = trailers.clone();
    metadata.set(STATUS_DETAILS, statusWith(code, details, reason));
    super(code, details, metadata);
  }
}

/** The error as `jobservice.v2` answers it: with the reason of its code, unless it has one. */
export function toV2Error(error: RpcError): V2Error {
  if (error instanceof V2Error) return error;
  return new V2Error(error.code, REASONS[error.code] ?? 'INTERNAL', error.details, error.metadata);
}

export function invalidRequest(details: string): V2Error {
  return new V2Error(status.INVALID_ARGUMENT, 'INVALID_REQUEST', details);
}

const REASONS: Partial<Record<status, ErrorReason>> = {
  [status.INVALID_ARGUMENT]: 'INVALID_REQUEST',
  [status.UNIMPLEMENTED]: 'INVALID_REQUEST',
  [status.UNAUTHENTICATED]: 'CREDENTIALS_INVALID',
  [status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [status.RESOURCE_EXHAUSTED]: 'LIMIT_REACHED',
  [status.OUT_OF_RANGE]: 'RESUME_TOKEN_EXPIRED',
  [status.UNAVAILABLE]: 'UNAVAILABLE',
  [status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [status.CANCELLED]: 'CANCELLED',
};

/** A `google.rpc.Status` (1 code, 2 message, 3 details) that holds a `google.rpc.ErrorInfo` (1 reason, 2 domain). */
function statusWith(code: status, message: string, reason: ErrorReason): Buffer {
  const info = new BinaryWriter().uint32(10).string(reason).uint32(18).string(DOMAIN).finish();
  const any = new BinaryWriter().uint32(10).string(TYPE_URL).uint32(18).bytes(info).finish();
  return Buffer.from(
    new BinaryWriter().uint32(8).int32(code).uint32(18).string(message).uint32(26).bytes(any).finish(),
  );
}
