import { status, type Metadata } from '@grpc/grpc-js';

/** A call that is answered with an error: its cause, then what the caller can do. */
export class RpcError extends Error {
  constructor(
    readonly code: status,
    readonly details: string,
    /** Sent with the status. */
    readonly metadata?: Metadata,
  ) {
    super(details);
    this.name = 'RpcError';
  }
}

/** A request that no limit of another moment would let in: unlike other RESOURCE_EXHAUSTED, sending it again does not help. */
export class MessageTooLongError extends RpcError {
  constructor(details: string) {
    super(status.RESOURCE_EXHAUSTED, details);
  }
}

/** For callers, in place of an error that nobody foresaw: its own text may hold what is not theirs. */
export const INTERNAL_ERROR_TEXT =
  'internal error: a defect of the query service; the cause is in its log, please report it';

/**
 * The error that a call is answered with, for whatever the work on it rejected with. What is no RpcError is a defect of this service:
 * INTERNAL, and handed to `internalError`.
 */
export function toRpcError(error: unknown, internalError: (error: Error) => void): RpcError {
  if (error instanceof RpcError) return error;
  internalError(error instanceof Error ? error : new Error(String(error)));
  return new RpcError(status.INTERNAL, INTERNAL_ERROR_TEXT);
}
