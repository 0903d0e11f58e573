import type { ArmadaTransport } from '@ajs/armada-credentials';
import { Client, type ClientOptions } from '@grpc/grpc-js';

/**
 * Streams on one connection. Servers and proxies limit them (100 is the least that HTTP/2 advises), and a stream above the
 * limit waits without a word.
 */
const STREAMS_PER_CHANNEL = 100;

interface Channel {
  readonly client: Client;
  streams: number;
}

/** Connections to one server, as many as its streams need. */
export class ChannelPool {
  private readonly channels: Channel[] = [];

  constructor(
    private readonly transport: ArmadaTransport,
    private readonly options: ClientOptions,
  ) {}

  /** A connection with room for one more stream; `release` is called once when that stream has ended. */
  acquire(): { readonly client: Client; readonly release: () => void } {
    let channel = this.channels.find(({ streams }) => streams < STREAMS_PER_CHANNEL);
    if (channel === undefined) {
      const { address, channelCredentials, channelOptions } = this.transport;
      const client = new Client(address, channelCredentials, { ...this.options, ...channelOptions });
      channel = { client, streams: 0 };
      this.channels.push(channel);
    }
    const taken = channel;
    taken.streams++;
    return { client: taken.client, release: () => this.release(taken) };
  }

  close(): void {
    for (const { client } of this.channels.splice(0)) client.close();
  }

  /** The first connection stays, for the next stream; others go when they are empty. */
  private release(channel: Channel): void {
    channel.streams--;
    if (channel.streams > 0 || channel === this.channels[0]) return;
    const index = this.channels.indexOf(channel);
    if (index < 0) return;
    this.channels.splice(index, 1);
    channel.client.close();
  }
}
