import { createServer, type Socket } from 'node:net';
import { RedisClusterServers, eventually, freePort } from '@ajs/testing';
import { Redis, type Cluster } from 'ioredis';
import { evictionPolicies } from './eviction-policies.js';
import { createRedisClient, isReady, type RedisClient, type RedisTarget } from './redis-client.js';

const cleanUps: (() => unknown)[] = [];
let servers: RedisClusterServers;
let errors: string[];

beforeAll(async () => {
  servers = await RedisClusterServers.start();
});
beforeEach(() => (errors = []));
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => servers.stop());

function connect(more: Partial<RedisTarget & { kind: 'cluster' }> = {}): RedisClient {
  const nodes = servers.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const client = createRedisClient({ kind: 'cluster', nodes, tls: false, ...more }, 'reader', ({ message }) =>
    errors.push(message),
  );
  cleanUps.push(() => client.disconnect());
  return client;
}

async function eachServer(ask: (admin: Redis) => Promise<unknown>): Promise<void> {
  for (const { url } of servers.servers) {
    const admin = new Redis(url);
    await ask(admin);
    admin.disconnect();
  }
}

describe('a client of Redis Cluster', () => {
  it('knows of each master what it does when its memory is full', async () => {
    const policies = ['noeviction', 'allkeys-lru', 'volatile-ttl'];
    await eachServer((admin) => admin.config('SET', 'maxmemory-policy', policies.shift() ?? ''));
    const client = connect();
    await isReady(client);
    expect((await evictionPolicies(client)).sort()).toEqual(['allkeys-lru', 'noeviction', 'volatile-ttl']);
  });

  it('has the login of the settings at every node', async () => {
    await eachServer((admin) => admin.call('ACL', 'SETUSER', 'ajs', 'on', '>secret', '~*', '&*', '+@all'));
    const client = connect({ username: 'ajs', password: 'secret' }) as Cluster & RedisClient;
    await isReady(client);
    const users = await Promise.all(client.nodes('master').map((node) => node.call('ACL', 'WHOAMI')));
    expect(users).toEqual(['ajs', 'ajs', 'ajs']);
  });

  it('tries to connect for as long as no node is there', async () => {
    connect({ nodes: [{ host: '127.0.0.1', port: await freePort() }] });
    await eventually('it has tried three times', () => errors.length >= 3);
    for (const error of errors) expect(error).toContain('no node of Redis Cluster can be used');
  });

  it('says of each try why no node could be used, and not of one before', async () => {
    const port = await freePort();
    connect({ nodes: [{ host: '127.0.0.1', port }] });
    await eventually('nobody listens', () => errors.at(-1)?.includes('ECONNREFUSED'));
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    cleanUps.push(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    silent.listen(port, '127.0.0.1');
    await eventually('nobody answers', () => /timeout|timed out/.test(errors.at(-1) ?? ''));
  });
});
