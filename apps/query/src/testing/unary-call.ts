import { Metadata, type ServerUnaryCall, type handleUnaryCall } from '@grpc/grpc-js';

/**
 * Calls a handler as grpc-js does, for a caller without credentials that waits without a deadline. Resolves to the response; rejects with
 * the error that the handler answers.
 */
export function callUnary<Request, Response>(
  handler: handleUnaryCall<Request, Response>,
  request: Request,
): Promise<Response> {
  const call = {
    request,
    cancelled: false,
    metadata: new Metadata(),
    getDeadline: () => Infinity,
    getAuthContext: () => ({}),
    getPeer: () => '127.0.0.1:1',
  } as unknown as ServerUnaryCall<Request, Response>;
  return new Promise((resolve, reject) => {
    handler(call, (error, response) => {
      if (response) resolve(response);
      else reject(error);
    });
  });
}
