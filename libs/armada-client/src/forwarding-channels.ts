import type { ArmadaTransport } from '@ajs/armada-credentials';
import { channelOptions } from './channel-options.js';
import { ChannelPool } from './channel-pool.js';
import { nameProxy } from './name-proxy.js';
import { observeCalls, type CallObserver } from './observe-calls.js';

/**
 * Connections to Armada for forwarded calls: they carry no credential of ours, only what each call brings, and are shared with no call
 * of our own. A message larger than `maxMessageBytes` fails its call. The observer hears of calls that are made by a client of the pool,
 * and not on its channel.
 */
export function createForwardingChannels(
  transport: ArmadaTransport,
  maxMessageBytes: number,
  observer?: CallObserver,
): ChannelPool {
  const interceptors = [
    ...(observer === undefined ? [] : [observeCalls(observer)]),
    ...nameProxy(transport.proxy),
  ];
  return new ChannelPool(transport, { ...channelOptions(maxMessageBytes), interceptors });
}
