import type { UnaryMethod } from '@ajs/testing';
import type { Client, StatusObject } from '@grpc/grpc-js';

/** Calls a method that streams. Returns what cancels the call, which then ends with CANCELLED. */
export function callStream<Q, A>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: UnaryMethod<Q, A>,
  request: Q,
  on: { readonly message: (message: A) => void; readonly end: (status: StatusObject) => void },
): () => void {
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  call.on('data', on.message);
  // The status says it as well.
  call.on('error', () => undefined);
  call.on('status', on.end);
  return () => call.cancel();
}
