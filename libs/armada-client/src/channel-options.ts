import type { ClientOptions } from '@grpc/grpc-js';

/** Options of every connection to Armada. */
export function channelOptions(maxMessageBytes: number): ClientOptions {
  return {
    'grpc.max_receive_message_length': maxMessageBytes,
    // Armada's servers close the connection on pings closer than 10 s, and a late timer brings two closer together than was meant.
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 500,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Otherwise all channels with the same options would share one connection.
    'grpc.use_local_subchannel_pool': 1,
  };
}
