import { Redis } from 'ioredis';
import { eventually } from '../eventually.js';
import { RedisServer } from './redis-server.js';

const MASTER_NAME = 'the-master';
const SENTINELS = 3;
const DOWN_AFTER_MS = 1_000;

/** A private master, its replica and three sentinels on this machine, which fail over within some seconds. */
export class RedisSentinelServers {
  private constructor(
    /** The master and its replica, in any order. */
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly RedisServer[],
  ) {}

  /** @param args of the master and its replica */
  static async start(args: readonly string[] = []): Promise<RedisSentinelServers> {
    const master = await RedisServer.start(args);
    const replica = await RedisServer.start(['--replicaof', `127.0.0.1 ${master.port}`, ...args]);
    await ask(replica, async (client) =>
      eventually('the replica follows', async () =>
        (await client.info('replication')).includes('master_link_status:up'),
      ),
    );
    const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => RedisServer.startSentinel()));
    for (const sentinel of sentinels) {
      await ask(sentinel, async (client) => {
        await client.call('SENTINEL', 'MONITOR', MASTER_NAME, '127.0.0.1', master.port, 2);
        const options = ['down-after-milliseconds', DOWN_AFTER_MS, 'failover-timeout', 5_000];
        await client.call('SENTINEL', 'SET', MASTER_NAME, ...options);
      });
    }
    for (const sentinel of sentinels) {
      await ask(sentinel, (client) =>
        eventually('the sentinels know each other and the replica', async () => {
          const answer = (await client.call('SENTINEL', 'MASTER', MASTER_NAME)) as string[];
          const value = (name: string): string | undefined => answer[answer.indexOf(name) + 1];
          return value('num-slaves') === '1' && value('num-other-sentinels') === `${SENTINELS - 1}`;
        }),
      );
    }
    return new RedisSentinelServers([master, replica], sentinels);
  }

  readonly masterName = MASTER_NAME;

  /** The value for REDIS_URL. */
  get url(): string {
    return `redis-sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`;
  }

  /** The server that the sentinels report as the master. */
  async master(): Promise<RedisServer> {
    const [sentinel] = this.sentinels;
    if (sentinel === undefined) throw new Error('there is no sentinel');
    const [, port] = await ask(
      sentinel,
      async (client) => (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as string[],
    );
    const master = this.servers.find((server) => `${server.port}` === port);
    if (master === undefined) throw new Error(`no server listens at port ${port}`);
    return master;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.servers, ...this.sentinels].map((server) => server.stop()));
  }
}

async function ask<T>(server: RedisServer, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.url);
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}
