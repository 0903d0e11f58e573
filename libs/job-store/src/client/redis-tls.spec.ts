import { readFileSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CertificateAuthority,
  RedisClusterServers,
  RedisSentinelServers,
  RedisServer,
  eventually,
} from '@ajs/testing';
import { Redis } from 'ioredis';
import { createRedisClient, type RedisClient, type RedisNode, type RedisTarget } from './redis-client.js';
import { redisErrorKind } from './redis-errors.js';

const NAME = 'redis.test';
const cleanUps: (() => unknown)[] = [];
let authority: CertificateAuthority;
let errors: Error[];

beforeAll(async () => {
  authority = await CertificateAuthority.create();
});
beforeEach(() => (errors = []));
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => authority.remove());

function connect(target: RedisTarget): RedisClient {
  const client = createRedisClient(target, 'reader', (error) => errors.push(error));
  cleanUps.push(() => client.disconnect());
  return client;
}

const works = (client: RedisClient): Promise<unknown> =>
  eventually('commands are answered', () => client.set('a', 'b'), 20_000);
const told = (text: string): Promise<unknown> =>
  eventually(`an error says "${text}"`, () => {
    const messages = errors.map(({ message }) => message);
    if (messages.some((message) => message.includes(text))) return true;
    throw new Error(messages.slice(-3).join('; '));
  });

async function clusterOf(name: string, ...args: string[]): Promise<RedisNode[]> {
  const { certFile, keyFile } = await authority.sign([name]);
  const tls = { certFile, keyFile, caFile: authority.certFile };
  const cluster = await RedisClusterServers.start({ flavour: 'redis-7', tls, args });
  cleanUps.push(() => cluster.stop());
  return cluster.servers.map(({ tlsPort: port }) => ({ host: 'localhost', port }));
}

describe('Redis Cluster with certificates for host names', () => {
  const common = { kind: 'cluster', tls: true } as const;

  it('is used by the names that it reports', async () => {
    const byName = [
      '--cluster-announce-hostname',
      'localhost',
      '--cluster-preferred-endpoint-type',
      'hostname',
    ];
    const nodes = await clusterOf('localhost', ...byName);
    await works(connect({ ...common, nodes, caFile: authority.certFile }));
    expect(errors).toEqual([]);
  });

  it('is used by the addresses that it reports, where the name in its certificates was set', async () => {
    const nodes = await clusterOf(NAME);
    const caFile = authority.certFile;
    connect({ ...common, nodes, caFile });
    await told("no node of Redis Cluster can be used: Hostname/IP does not match certificate's altnames");
    errors = [];
    await works(connect({ ...common, nodes, caFile, serverName: NAME }));
  });

  it('says why no node of it can be used, and of which kind that is', async () => {
    const nodes = await clusterOf(NAME);
    connect({ ...common, nodes, serverName: NAME });
    await told('no node of Redis Cluster can be used: self-signed certificate in certificate chain');
    errors = [];
    const login = { username: 'nobody', password: 'wrong' };
    connect({ ...common, nodes, serverName: NAME, caFile: authority.certFile, ...login });
    await told('no node of Redis Cluster can be used: WRONGPASS');
    expect(errors.map(redisErrorKind)).toContain('denied');
  });
});

describe('a server of Redis that asks for client certificates', () => {
  it('accepts that of the client, also after its files were replaced', async () => {
    const { certFile, keyFile } = await authority.sign([NAME]);
    const server = await RedisServer.start([], {
      flavour: 'redis-7',
      tls: { certFile, keyFile, caFile: authority.certFile, clientCertificates: true },
    });
    cleanUps.push(() => server.stop());
    const admin = new Redis(server.url);
    cleanUps.push(() => admin.disconnect());
    const url = `rediss://127.0.0.1:${server.tlsPort}`;
    const caFile = authority.certFile;
    const own = await authority.sign(['client']);
    const files = { caFile, serverName: NAME, certFile: own.certFile, keyFile: own.keyFile };

    connect({ kind: 'single', url, caFile, serverName: NAME });
    await told('certificate required');
    errors = [];
    const client = connect({ kind: 'single', url, ...files });
    await works(client);
    expect(errors).toEqual([]);

    // From here on clients of another authority are accepted only.
    const successor = await CertificateAuthority.create('the next authority');
    cleanUps.push(() => successor.remove());
    const renewed = await successor.sign(['client']);
    await admin.config('SET', 'tls-ca-cert-file', successor.certFile);
    // While only one of the files has been replaced, both are of no use.
    await copyFile(renewed.certFile, files.certFile);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await told('the renewed TLS files for Redis cannot be used; still using the previous ones');
    await copyFile(renewed.keyFile, files.keyFile);
    await works(client);
  });

  it('is not connected to with files that cannot be used', async () => {
    const { certFile, keyFile } = await authority.sign(['client']);
    await writeFile(keyFile, 'no key');
    const url = 'rediss://127.0.0.1:1';
    expect(() => connect({ kind: 'single', url, certFile, keyFile })).toThrow(
      'the TLS files for Redis cannot be used',
    );
    expect(() => connect({ kind: 'single', url, caFile: '/not/there' })).toThrow('/not/there');
  });
});

describe('sentinels with users', () => {
  it('are asked as the user of the settings', async () => {
    const servers = await RedisSentinelServers.start();
    cleanUps.push(() => servers.stop());
    const documented = readFileSync(join(import.meta.dirname, '../../../../docs/redis.md'), 'utf8');
    const rules = /ACL SETUSER ajs on >PASSWORD (.+)/.exec(documented)?.[1] ?? '';
    for (const { url } of servers.sentinels) {
      const admin = new Redis(url);
      await admin.call('ACL', 'SETUSER', 'watcher', 'on', '>secret', ...rules.split(' '));
      await admin.call('ACL', 'SETUSER', 'default', 'off');
      admin.disconnect();
    }
    const sentinels = servers.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const target = { kind: 'sentinel', sentinels, name: servers.masterName, tls: false } as const;
    connect(target);
    await told('NOAUTH');
    connect({ ...target, sentinelUsername: 'watcher', sentinelPassword: 'wrong' });
    await told('WRONGPASS');
    expect(errors.map(redisErrorKind)).toContain('denied');
    await works(connect({ ...target, sentinelUsername: 'watcher', sentinelPassword: 'secret' }));
  });
});
