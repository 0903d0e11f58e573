import { Metadata, type ServerUnaryCall, type handleUnaryCall, type sendUnaryData } from '@grpc/grpc-js';

/** What a handler answers: a response, or an error. */
export interface UnaryAnswer<Response> {
  readonly response?: Response | null | undefined;
  readonly error?: Parameters<sendUnaryData<Response>>[0];
}

/**
 * Calls a handler as grpc-js does, for a caller without credentials that waits without a deadline.
 *
 * @param onTrailers is given the trailing metadata of a response, where there is any
 */
export function callUnary<Request, Response>(
  handler: handleUnaryCall<Request, Response>,
  request: Request,
  onTrailers: (trailers: Metadata | undefined) => void = () => undefined,
): Promise<UnaryAnswer<Response>> {
  const call = {
    request,
    cancelled: false,
    metadata: new Metadata(),
    getDeadline: () => Infinity,
    getAuthContext: () => ({}),
    getPeer: () => '127.0.0.1:1',
  } as unknown as ServerUnaryCall<Request, Response>;
  return new Promise((resolve) => {
    handler(call, (error, response, trailers) => {
      onTrailers(trailers);
      resolve(error === null ? { response } : { error });
    });
  });
}
