import type { status } from '@grpc/grpc-js';
import type { OkTrailers } from '../grpc/response.js';
import type { UnaryMethod, UnaryOutcome } from '../grpc/unary-method.js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from './test-caller.js';

/** How a call was answered: with a response, or with an error. */
export interface UnaryAnswer<Response> {
  readonly response?: Response;
  readonly error?: { readonly code: status; readonly details: string };
}

/**
 * Calls a method as the gRPC server does, for a caller without credentials that waits without a deadline.
 *
 * @param onTrailers is given the trailing metadata of a response, where there is any
 */
export async function callUnary<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  onTrailers: (trailers: OkTrailers | undefined) => void = () => undefined,
): Promise<UnaryAnswer<Response>> {
  const began = performance.now();
  const outcome = await outcomeOf(method, request);
  method.answered?.(outcome, (performance.now() - began) / 1_000);
  if (outcome instanceof RpcError) return { error: { code: outcome.code, details: outcome.details } };
  onTrailers(outcome.trailers);
  return { response: outcome.response };
}

async function outcomeOf<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
): Promise<UnaryOutcome<Response>> {
  try {
    return await method.answer(request, testCaller());
  } catch (error) {
    return method.failed(error);
  }
}
