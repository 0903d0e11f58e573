import type { status } from '@grpc/grpc-js';

/** A call that is answered with an error: what is wrong, where, and what to do. */
export class RpcError extends Error {
  constructor(
    readonly code: status,
    readonly details: string,
  ) {
    super(details);
    this.name = 'RpcError';
  }
}
