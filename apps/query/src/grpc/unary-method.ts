import { status, type ServiceDefinition } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import type { OkTrailers } from './response.js';

/** How a call is answered: with a response, or with an error. */
export type UnaryOutcome<Response> = UnaryReply<Response> | RpcError;

export interface UnaryReply<Response> {
  /** Undefined where all responses have been sent, as by a stream. */
  readonly response: Response;
  /** Its bytes as they are sent, behind gRPC's prefix, where they are at hand. They are left as they are. */
  readonly frame?: Buffer;
  readonly trailers?: OkTrailers;
}

/** A unary method of our own. */
export interface UnaryMethod<Request = unknown, Response = unknown> {
  readonly definition: ServiceDefinition[string];
  /** What the largest valid request needs. */
  readonly maxRequestBytes: number;
  /** Anybody may call it, also when too many calls are processed: it costs nothing. */
  readonly isPublic?: boolean;
  /** Checked before the request is decoded: throws an RpcError where decoding would build more than any valid request needs. */
  check?(request: Buffer): void;
  /** Throws, or rejects with, whatever prevents an answer. One that is known at once costs no promise. */
  answer(request: Request, caller: Caller): UnaryReply<Response> | Promise<UnaryReply<Response>>;
  /** How the call is answered where `error` prevents an answer, at whatever stage. */
  failed(error: unknown): UnaryOutcome<Response>;
  /** Called once: when the answer is known, or its caller has gone before. `seconds`: since the headers of the call came. */
  answered?(outcome: UnaryOutcome<Response>, seconds: number): void;
}

/** A method that only reads memory. `answer` may throw an RpcError. */
export function publicMethod<Request, Response>(
  definition: ServiceDefinition[string],
  maxRequestBytes: number,
  answer: (request: Request, caller: Caller) => Response | Promise<Response>,
): UnaryMethod<Request, Response> {
  return {
    definition,
    maxRequestBytes,
    isPublic: true,
    answer: async (request, caller) => ({ response: await answer(request, caller) }),
    failed: (error) =>
      error instanceof RpcError ? error : new RpcError(status.INTERNAL, (error as Error).message),
  };
}
