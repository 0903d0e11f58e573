import type { ArmadaTransport } from '@ajs/armada-credentials';
import { channelOptions } from './channel-options.js';
import { ChannelPool } from './channel-pool.js';

/**
 * Connections to Armada for calls that are forwarded: they carry no credential of ours, only what each call brings, and are
 * shared with no call of our own. A larger message than `largestMessageBytes` ends its call.
 */
export function createForwardingChannels(
  transport: ArmadaTransport,
  largestMessageBytes: number,
): ChannelPool {
  return new ChannelPool(transport, channelOptions(largestMessageBytes));
}
