import type { ArmadaTransport } from '@ajs/armada-credentials';
import { throughProxy } from '@ajs/platform';
import { Client, type ClientOptions } from '@grpc/grpc-js';

/**
 * Streams on one connection. Servers and proxies limit them (HTTP/2 recommends no less than 100), and a stream above the limit waits
 * silently.
 */
const STREAMS_PER_CHANNEL = 100;

interface Channel {
  readonly client: Client;
  streams: number;
}

/** As many connections to one server as its streams need. */
export class ChannelPool {
  private readonly channels: Channel[] = [];

  constructor(
    private readonly transport: ArmadaTransport,
    private readonly options: ClientOptions,
  ) {}

  /** What follows the cause where there is no connection: the proxy on the way to the server, or ''. */
  get throughProxy(): string {
    const { proxy } = this.transport;
    return proxy === undefined ? '' : ` (${throughProxy(proxy)})`;
  }

  /** A connection with room for one more stream; call `release` once when that stream has ended. */
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

  /** Keeps the first connection for the next stream, and closes others when they have no stream left. */
  private release(channel: Channel): void {
    channel.streams--;
    if (channel.streams > 0 || channel === this.channels[0]) return;
    const index = this.channels.indexOf(channel);
    if (index < 0) return;
    this.channels.splice(index, 1);
    channel.client.close();
  }
}
