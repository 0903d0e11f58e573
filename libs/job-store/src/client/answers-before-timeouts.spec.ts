import { RedisClusterServers, RedisServer } from '@ajs/testing';
import { createRedisClient, isReady } from './redis-client.js';

/** Longer than a reader waits for an answer. */
const LONG_MS = 1_200;

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

it('a command that Redis answers while the process stands still is answered', async () => {
  const answer = client.ping('a');
  // Behind the write of the command.
  process.nextTick(() => {
    const until = performance.now() + LONG_MS;
    while (performance.now() < until);
  });
  expect(await answer).toBe('a');
});

it('a command that Redis does not answer times out', async () => {
  const other = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  await other.call('CLIENT', 'PAUSE', '5000', 'ALL');
  await expect(client.ping('a')).rejects.toThrow('Command timed out');
  other.disconnect();
});

it('transactions of a cluster are answered, whichever node they are for', async () => {
  const cluster = await RedisClusterServers.start();
  const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const ofCluster = createRedisClient({ kind: 'cluster', nodes, tls: false }, 'writer', () => undefined);
  try {
    await isReady(ofCluster);
    for (let i = 0; i < 20; i++) {
      const answers = await ofCluster.multi().set(`key ${i}`, i).get(`key ${i}`).exec();
      expect(answers).toEqual([
        [null, 'OK'],
        [null, `${i}`],
      ]);
    }
  } finally {
    ofCluster.disconnect();
    await cluster.stop();
  }
});
