import type { InterceptingListener, StatusObject } from '@grpc/grpc-js';

/**
 * Passes on to a listener all that an interceptor hears of a call, its status as `map` returns it. grpc-js hands messages straight to a
 * listener of this form; for one that is given a `next` it makes a closure for each message, of which an event stream has thousands.
 */
export function mapStatus(
  listener: InterceptingListener,
  map: (status: StatusObject) => StatusObject,
): InterceptingListener {
  return {
    onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
    onReceiveMessage: (message) => listener.onReceiveMessage(message),
    onReceiveStatus: (status) => listener.onReceiveStatus(map(status)),
  };
}
