import type { ClientOptions } from '@grpc/grpc-js';

/**
 * Options of every connection to Armada.
 *
 * @param windowBytes What Armada may send ahead on a stream, and on a connection for all its streams together. Left out: 64 KiB
 */
export function channelOptions(maxMessageBytes: number, windowBytes?: number): ClientOptions {
  return {
    'grpc.max_receive_message_length': maxMessageBytes,
    // Armada's servers close the connection on pings closer than 10 s, and a late timer brings two closer together than was meant.
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 500,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Otherwise all channels with the same options would share one connection.
    'grpc.use_local_subchannel_pool': 1,
    ...(windowBytes !== undefined && { 'grpc-node.flow_control_window': windowBytes }),
  };
}
