import type { ClientOptions } from '@grpc/grpc-js';

/** How connections to Armada behave, whatever they are for. */
export function channelOptions(largestMessageBytes: number): ClientOptions {
  return {
    'grpc.max_receive_message_length': largestMessageBytes,
    // Armada's servers close the connection on pings closer than 10 s, and a late timer brings two closer together than was meant.
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 500,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Else all channels with the same options would share one connection.
    'grpc.use_local_subchannel_pool': 1,
  };
}
