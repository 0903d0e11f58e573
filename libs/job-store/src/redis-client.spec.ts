import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { RedisServer, eventually } from '@ajs/testing';
import { createRedisClient } from './redis-client.js';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe('a client of Redis', () => {
  it('finds that its connection died without a word, and makes another', async () => {
    const redis = await RedisServer.start();
    cleanUps.push(() => redis.stop());
    const sockets: Socket[] = [];
    // Stands between them, as a firewall that may forget a connection.
    const between = createServer((client) => {
      const server = connect(redis.port, '127.0.0.1');
      client.pipe(server).pipe(client);
      for (const socket of [client, server]) sockets.push(socket.on('error', () => undefined));
    });
    const port = await new Promise<number>((resolve) => {
      between.listen(0, '127.0.0.1', () => resolve((between.address() as AddressInfo).port));
    });
    cleanUps.push(() => {
      between.close();
      for (const socket of sockets) socket.destroy();
    });
    const client = createRedisClient(
      { kind: 'single', url: `redis://127.0.0.1:${port}` },
      'reader',
      () => {},
    );
    cleanUps.push(() => client.disconnect());
    await eventually('it is there', () => client.ping().catch(() => undefined));
    for (const socket of sockets) socket.unpipe().pause();
    await expect(client.ping()).rejects.toThrow('timed out');
    await eventually('it is there again', () => client.ping().catch(() => undefined), 20_000);
  }, 40_000);
});
