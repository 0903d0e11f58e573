import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { CertificateAuthority, RedisServer, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { createRedisClient, type RedisClient } from './redis-client.js';

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

  it('connects again where the sentinels announce a fail-over while it asks them for the master', async () => {
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
    const client = createRedisClient(target, 'reader', () => undefined);
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
    client.disconnect();
    await eventually('it has ended, since it was closed', () => ends.count === 2);
    expect(client.status).toBe('end');
  });
});
