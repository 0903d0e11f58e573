import { Redis } from 'ioredis';
import { eventually } from '../eventually.js';
import { RedisServer, type RedisServerOptions } from './redis-server.js';

const SLOTS = 16_384;
const MASTERS = 3;

export interface RedisClusterOptions extends RedisServerOptions {
  /** Replicas of each master. */
  readonly replicas?: number;
  /** For each server. */
  readonly args?: readonly string[];
}

/** A private Redis Cluster of three masters on this machine. */
export class RedisClusterServers {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start({
    replicas = 0,
    args = [],
    flavour,
    tls,
  }: RedisClusterOptions = {}): Promise<RedisClusterServers> {
    const size = MASTERS * (1 + replicas);
    const servers = await Promise.all(
      Array.from({ length: size }, () =>
        RedisServer.start(
          [
            ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...args],
            ...(tls === undefined ? [] : ['--tls-cluster', 'yes', '--tls-replication', 'yes']),
          ],
          { flavour, tls },
        ),
      ),
    );
    const clients = servers.map(({ url }) => new Redis(url));
    const masters = clients.slice(0, MASTERS);
    try {
      await Promise.all(
        masters.map((client, i) => {
          const [first, last] = [
            Math.floor((SLOTS * i) / MASTERS),
            Math.floor((SLOTS * (i + 1)) / MASTERS) - 1,
          ];
          return client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
        }),
      );
      for (const server of servers.slice(1)) {
        await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', server.tlsPort || server.port);
      }
      for (const client of clients) {
        await eventually('the cluster agrees', async () => {
          const info = String(await client.call('CLUSTER', 'INFO'));
          return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`);
        });
      }
      const ids = await Promise.all(masters.map(idOf));
      for (const [i, client] of clients.slice(MASTERS).entries()) {
        await client.call('CLUSTER', 'REPLICATE', ids[i % MASTERS] ?? '');
        await eventually('the replica follows', async () =>
          (await client.info('replication')).includes('master_link_status:up'),
        );
      }
    } finally {
      for (const client of clients) client.disconnect();
    }
    return new RedisClusterServers(servers);
  }

  /** The value for REDIS_URL. */
  get url(): string {
    return `redis-cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The master that has the slot of a key, by the first server that answers. */
  async masterOf(key: string): Promise<RedisServer> {
    return this.ask(async (client) => {
      const slot = Number(await client.call('CLUSTER', 'KEYSLOT', key));
      const owned = await this.owned(client);
      return owned.find(({ first, last }) => first <= slot && slot <= last)?.by;
    });
  }

  /** Moves the slot of a key to another master, key by key, as `redis-cli` does; `step` is awaited after each. */
  async move(key: string, step: () => Promise<unknown>): Promise<void> {
    const source = await this.masterOf(key);
    const target = await this.ask(
      async (client) => (await this.owned(client)).find(({ by }) => by !== undefined && by !== source)?.by,
    );
    const [from, to] = [new Redis(source.url), new Redis(target.url)];
    try {
      const slot = Number(await from.call('CLUSTER', 'KEYSLOT', key));
      const [sourceId, targetId] = [await idOf(from), await idOf(to)];
      await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
      await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
      await step();
      for (;;) {
        const [next] = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[];
        if (next === undefined) break;
        await from.call('MIGRATE', '127.0.0.1', target.port, next, 0, 5_000);
        await step();
      }
      for (const client of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    } finally {
      from.disconnect();
      to.disconnect();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  /** The slots of each master. */
  private async owned(
    client: Redis,
  ): Promise<{ readonly first: number; readonly last: number; readonly by: RedisServer | undefined }[]> {
    const slots = (await client.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    return slots.map(([first, last, [, owner]]) => ({
      first,
      last,
      by: this.servers.find(({ port }) => port === owner),
    }));
  }

  private async ask<T>(question: (client: Redis) => Promise<T | undefined>): Promise<T> {
    for (const server of this.servers) {
      const client = new Redis(server.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
      client.on('error', () => undefined);
      try {
        const answer = await question(client).catch(() => undefined);
        if (answer !== undefined) return answer;
      } finally {
        client.disconnect();
      }
    }
    throw new Error('no server of the cluster knows');
  }
}

async function idOf(client: Redis): Promise<string> {
  return String(await client.call('CLUSTER', 'MYID'));
}
