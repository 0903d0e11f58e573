import { Redis } from 'ioredis';
import { eventually } from '../eventually.js';
import { RedisServer } from './redis-server.js';

const SLOTS = 16_384;
const MASTERS = 3;

/** A private Redis Cluster of three masters on this machine. */
export class RedisClusterServers {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start(): Promise<RedisClusterServers> {
    const servers = await Promise.all(
      Array.from({ length: MASTERS }, () =>
        RedisServer.start(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']),
      ),
    );
    const clients = servers.map(({ url }) => new Redis(url));
    try {
      await Promise.all(
        clients.map((client, i) => {
          const [first, last] = [
            Math.floor((SLOTS * i) / MASTERS),
            Math.floor((SLOTS * (i + 1)) / MASTERS) - 1,
          ];
          return client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
        }),
      );
      for (const server of servers.slice(1)) {
        await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', server.port);
      }
      for (const client of clients) {
        await eventually('the cluster agrees', async () => {
          const info = String(await client.call('CLUSTER', 'INFO'));
          return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${MASTERS}`);
        });
      }
    } finally {
      for (const client of clients) client.disconnect();
    }
    return new RedisClusterServers(servers);
  }

  /** As REDIS_URL wants it. */
  get url(): string {
    return `redis-cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}
