import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { withoutTls } from '@ajs/armada-credentials';
import { eventually } from '@ajs/testing';
import { connectivityState, type Client } from '@grpc/grpc-js';
import { channelOptions } from './channel-options.js';
import { ChannelPool } from './channel-pool.js';

/** What HTTP/2 recommends servers to admit on one connection, at least. */
const STREAMS = 100;

let pool: ChannelPool;
beforeEach(() => (pool = new ChannelPool(withoutTls('127.0.0.1:1'), {})));
afterEach(() => pool.close());

const acquire = (count: number) => Array.from({ length: count }, () => pool.acquire());
const stateOf = (client: Client) => client.getChannel().getConnectivityState(false);

describe('a pool of connections', () => {
  it('opens another one where those it has are full, and closes it when its last stream ends', () => {
    const [first, ...others] = acquire(STREAMS);
    const [beyond, last] = acquire(2);
    expect(new Set(others.map(({ client }) => client))).toEqual(new Set([first?.client]));
    expect(beyond?.client).not.toBe(first?.client);
    expect(last?.client).toBe(beyond?.client);
    beyond?.release();
    expect(beyond && stateOf(beyond.client)).toBe(connectivityState.IDLE);
    last?.release();
    expect(beyond && stateOf(beyond.client)).toBe(connectivityState.SHUTDOWN);
    // What is closed is not used any more.
    expect(pool.acquire().client).not.toBe(beyond?.client);
  });

  it('has as many connections as clients: what one is full of is no limit of another', async () => {
    const sessions: ServerHttp2Session[] = [];
    const server = createServer().on('session', (session) => sessions.push(session));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const connected = new ChannelPool(withoutTls(`127.0.0.1:${port}`), channelOptions(1));
    const clients = new Set(Array.from({ length: STREAMS + 1 }, () => connected.acquire().client));
    try {
      for (const client of clients) client.getChannel().getConnectivityState(true);
      await eventually('each has its connection', () => sessions.length === 2);
    } finally {
      connected.close();
      for (const session of sessions) session.destroy();
      server.close();
    }
  });

  it('keeps its first one for the next stream', () => {
    const { client, release } = pool.acquire();
    release();
    expect(stateOf(client)).toBe(connectivityState.IDLE);
    expect(pool.acquire().client).toBe(client);
  });

  it('that was closed closes with the streams of then none that it opened later', () => {
    const { release } = pool.acquire();
    pool.close();
    const { client } = pool.acquire();
    release();
    expect(stateOf(client)).toBe(connectivityState.IDLE);
    expect(pool.acquire().client).toBe(client);
  });
});
