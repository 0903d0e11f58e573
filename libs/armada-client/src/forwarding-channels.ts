import type { ArmadaTransport } from '@ajs/armada-credentials';
import { channelOptions } from './channel-options.js';
import { ChannelPool } from './channel-pool.js';

/**
 * Connections to Armada for forwarded calls: they carry no credential of ours, only what each call brings, and are shared with no call
 * of our own. A message larger than `maxMessageBytes` fails its call.
 */
export function createForwardingChannels(transport: ArmadaTransport, maxMessageBytes: number): ChannelPool {
  return new ChannelPool(transport, channelOptions(maxMessageBytes));
}
