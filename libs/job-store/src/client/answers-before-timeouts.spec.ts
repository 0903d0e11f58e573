import { RedisClusterServers, RedisServer } from '@ajs/testing';
import type { Cluster, Redis } from 'ioredis';
import { createRedisClient, isReady, type ClientRole, type RedisClient } from './redis-client.js';

/** Longer than a reader waits for an answer. */
const LONG_MS = 1_200;
/** Longer than until it gives up a connection that owes one. */
const LONGER_MS = 3_200;

let server: RedisServer;
let client: ReturnType<typeof createRedisClient>;
beforeEach(async () => {
  server = await RedisServer.start();
  client = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined);
  await isReady(client);
});
afterEach(async () => {
  client.disconnect();
  await server.stop();
});

/** Has the process stand still, behind the writes of the commands that were just sent. */
function standStill(ms: number): void {
  process.nextTick(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms));
}

/** Returns whether the connection has been closed since. */
function closingOf(connection: Redis): () => boolean {
  let isClosed = false;
  connection.once('close', () => (isClosed = true));
  return () => isClosed;
}

it('a command that Redis answers while the process stands still is answered', async () => {
  const answer = client.ping('a');
  standStill(LONG_MS);
  expect(await answer).toBe('a');
});

it('a command that Redis does not answer times out', async () => {
  const other = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  await other.call('CLIENT', 'PAUSE', '5000', 'ALL');
  await expect(client.ping('a')).rejects.toThrow('Command timed out');
  other.disconnect();
});

it('a connection over which Redis answers while the process stands still is kept', async () => {
  const isClosed = closingOf(client as Redis);
  const answer = client.ping('a');
  standStill(LONGER_MS);
  expect(await answer).toBe('a');
  expect(await client.ping('b')).toBe('b');
  expect(isClosed()).toBe(false);
});

describe('of a cluster', () => {
  let servers: RedisClusterServers;
  let cluster: Cluster;
  const connect = async (role: ClientRole): Promise<void> => {
    const nodes = servers.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
    cluster = createRedisClient({ kind: 'cluster', nodes, tls: false }, role, () => undefined) as Cluster;
    await isReady(cluster as RedisClient);
  };
  beforeEach(async () => {
    servers = await RedisClusterServers.start();
  });
  afterEach(async () => {
    cluster.disconnect();
    await servers.stop();
  });

  it('transactions are answered, whichever node they are for', async () => {
    await connect('writer');
    for (let i = 0; i < 20; i++) {
      const answers = await cluster.multi().set(`key ${i}`, i).get(`key ${i}`).exec();
      expect(answers).toEqual([
        [null, 'OK'],
        [null, `${i}`],
      ]);
    }
  });

  it('connections over which the nodes answer while the process stands still are kept', async () => {
    await connect('reader');
    const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
    const read = (): Promise<number[]> => Promise.all(keys.map((key) => cluster.exists(key)));
    const absent = await read();
    const areClosed = cluster.nodes().map(closingOf);
    const answers = read();
    standStill(LONGER_MS);
    expect(await answers).toEqual(absent);
    expect(await read()).toEqual(absent);
    expect(areClosed.map((isClosed) => isClosed())).toEqual([false, false, false]);
  });
});
