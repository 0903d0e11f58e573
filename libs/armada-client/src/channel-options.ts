import type { ClientOptions } from '@grpc/grpc-js';

/** How connections to Armada behave, whatever they are for. */
export function channelOptions(largestMessageBytes: number): ClientOptions {
  return {
    'grpc.max_receive_message_length': largestMessageBytes,
    // Armada accepts a ping every 10 s, and answers one a second with `too_many_pings`.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 500,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Else all channels with the same options would share one connection.
    'grpc.use_local_subchannel_pool': 1,
  };
}
