import { jest } from '@jest/globals';
import { Socket, connect, createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { CertificateAuthority, RedisSentinelServers, RedisServer, eventually } from '@ajs/testing';
import { Redis, type Cluster } from 'ioredis';
import { createRedisClient, isReady, type RedisClient, type RedisTarget } from './redis-client.js';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe('a client of Redis', () => {
  it('connects over TLS as the user of its URL, and to no server of another authority', async () => {
    const redis = await RedisServer.start();
    cleanUps.push(() => redis.stop());
    const admin = new Redis(redis.url);
    cleanUps.push(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'ajs', 'on', '>secret', '~*', '&*', '+@all');
    await admin.call('ACL', 'SETUSER', 'default', 'off');
    const authority = await CertificateAuthority.create();
    cleanUps.push(() => authority.remove());
    const { cert, key } = await authority.sign(['127.0.0.1']);
    // Not every build of the server can do TLS: this stands before it, as a proxy may.
    const proxy = createTlsServer({ cert, key }, (client) => {
      const server = connect(redis.port, '127.0.0.1');
      client.pipe(server).pipe(client);
      for (const socket of [client, server]) socket.on('error', () => socket.destroy());
    });
    const port = await new Promise<number>((resolve) => {
      proxy.listen(0, '127.0.0.1', () => resolve((proxy.address() as AddressInfo).port));
    });
    cleanUps.push(() => proxy.close());

    const errors: string[] = [];
    const clientOf = (login: string, more: { caFile?: string } = {}): RedisClient => {
      const url = `rediss://${login}@127.0.0.1:${port}`;
      const client = createRedisClient({ kind: 'single', url, ...more }, 'reader', ({ message }) =>
        errors.push(message),
      );
      cleanUps.push(() => client.disconnect());
      return client;
    };
    const client = clientOf('ajs:secret', { caFile: authority.certFile });
    await eventually('it answers', () => client.ping().catch(() => undefined));
    expect(await client.call('ACL', 'WHOAMI')).toBe('ajs');
    expect(errors).toEqual([]);
    clientOf('ajs:secret');
    await eventually('an unknown authority is refused', () => errors.some((e) => e.includes('certificate')));
    clientOf('ajs:wrong', { caFile: authority.certFile });
    await eventually('a wrong password is refused', () => errors.some((e) => e.includes('WRONGPASS')));
  }, 30_000);

  it('replaces a connection that died silently', async () => {
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

  it('has its connection looked after where no answer is owed', async () => {
    const redis = await RedisServer.start();
    cleanUps.push(() => redis.stop());
    const keepAlive = jest.spyOn(Socket.prototype, 'setKeepAlive');
    const client = createRedisClient({ kind: 'single', url: redis.url }, 'reader', () => undefined);
    cleanUps.push(() => client.disconnect());
    await isReady(client);
    expect(keepAlive.mock.calls).toEqual([[true, 3_000]]);
    keepAlive.mockRestore();
  });

  it('gives up a connection that is not made in time', async () => {
    const port = await portOfSilentServer();
    const errors: string[] = [];
    const client = createRedisClient(
      { kind: 'single', url: `rediss://127.0.0.1:${port}` },
      'reader',
      (error) => errors.push(error.message),
    );
    cleanUps.push(() => client.disconnect());
    // By itself the client waits for 10 s.
    await eventually('it has given up', () => errors.includes('connect ETIMEDOUT'), 8_000);
  });

  it('passes over a sentinel that does not answer', async () => {
    const servers = await RedisSentinelServers.start();
    cleanUps.push(() => servers.stop());
    const sentinels = [await portOfSilentServer(), ...servers.sentinels.map(({ port }) => port)].map(
      (port) => ({
        host: '127.0.0.1',
        port,
      }),
    );
    const target = { kind: 'sentinel', sentinels, name: servers.masterName, tls: false } as const;
    const client = createRedisClient(target, 'reader', () => undefined);
    cleanUps.push(() => client.disconnect());
    await eventually('it is connected', () => client.status === 'ready');
  });

  it('leaves a master that went silent once the sentinels have another, also where no answer is owed', async () => {
    const servers = await RedisSentinelServers.start();
    cleanUps.push(() => servers.stop());
    const sentinels = servers.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const target = { kind: 'sentinel', sentinels, name: servers.masterName, tls: false } as const;
    const client = createRedisClient(target, 'reader', () => undefined) as Redis;
    cleanUps.push(() => client.disconnect());
    await eventually('it is connected', () => client.status === 'ready');
    const master = await servers.master();
    process.kill(master.pid, 'SIGSTOP');
    await eventually('there is another master', async () => (await servers.master()) !== master, 20_000);
    const { port } = await servers.master();
    await eventually(
      'it is connected there',
      () => client.status === 'ready' && client.stream.remotePort === port,
      20_000,
    );
  }, 60_000);

  it.each<[string, (client: Redis) => Redis, (client: Redis) => unknown]>([
    ['itself', (client) => client, (client) => client.disconnect()],
    ['a duplicate of it, as BullMQ makes one', (client) => client.duplicate(), (client) => client.quit()],
  ])(
    'connects again where the sentinels announce a fail-over while it asks them for the master: %s',
    async (_, clientOf, close) => {
      const [master, sentinel] = await Promise.all([RedisServer.start(), RedisServer.startSentinel()]);
      cleanUps.push(
        () => master.stop(),
        () => sentinel.stop(),
      );
      const admin = new Redis(sentinel.url);
      cleanUps.push(() => admin.disconnect());
      await admin.call('SENTINEL', 'MONITOR', 'main', '127.0.0.1', master.port, 1);
      const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
      const target = { kind: 'sentinel', sentinels, name: 'main', tls: false } as const;
      const original = createRedisClient(target, 'reader', () => undefined) as Redis;
      cleanUps.push(() => original.disconnect());
      const client = clientOf(original).on('error', () => undefined);
      cleanUps.push(() => client.disconnect());
      const ends = { count: 0 };
      client.on('end', () => ends.count++);
      await eventually('it is connected', () => client.status === 'ready');
      // What ioredis does when it hears of a new master.
      const { connector } = client as unknown as { readonly connector: { disconnect(): void } };
      client.once('connecting', () => connector.disconnect());
      client.disconnect(true);
      await eventually('it has ended', () => ends.count === 1);
      await eventually('it is connected again', () => client.status === 'ready');
      await close(client);
      await eventually('it has ended, since it was closed', () => ends.count === 2);
      expect(client.status).toBe('end');
    },
  );
});

/** Takes connections, and says nothing. */
async function portOfSilentServer(): Promise<number> {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  cleanUps.push(() => {
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Promise((resolve) => {
    silent.listen(0, '127.0.0.1', () => resolve((silent.address() as AddressInfo).port));
  });
}

describe('the time until a client tries to connect again', () => {
  const nodes = [{ host: '127.0.0.1', port: 1 }];
  type Delay = ((attempt: number) => unknown) | null | undefined;
  it.each<[string, RedisTarget, (client: RedisClient) => Delay[]]>([
    [
      'a server',
      { kind: 'single', url: 'redis://127.0.0.1:1' },
      (client) => [(client as Redis).options.retryStrategy],
    ],
    [
      'a Cluster',
      { kind: 'cluster', nodes, tls: false },
      (client) => [(client as Cluster).options.clusterRetryStrategy],
    ],
    [
      'Sentinel',
      { kind: 'sentinel', sentinels: nodes, name: 'main', tls: false },
      (client) => {
        const { options } = client as Redis;
        return [options.retryStrategy, options.sentinelRetryStrategy, options.sentinelReconnectStrategy];
      },
    ],
  ])(
    'is 50 to 100 ms at first, and at most a second, and is not the same for all clients: %s',
    (_, target, delaysOf) => {
      const client = createRedisClient(target, 'reader', () => undefined);
      client.disconnect();
      for (const delay of delaysOf(client)) {
        const delays = (attempt: number) => Array.from({ length: 100 }, () => Number(delay?.(attempt)));
        for (const [attempt, longest] of [
          [1, 100],
          [2, 200],
          [1_000, 1_000],
        ] as const) {
          const [first = 0, ...others] = delays(attempt);
          expect(Math.min(first, ...others)).toBeGreaterThanOrEqual(longest / 2);
          expect(Math.max(first, ...others)).toBeLessThanOrEqual(longest);
          expect(others.some((other) => other !== first)).toBe(true);
        }
      }
    },
  );
});
