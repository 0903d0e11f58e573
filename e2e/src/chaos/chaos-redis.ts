import { cp, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobSetKey } from '@ajs/job-state';
import type { RedisTarget } from '@ajs/job-store';
import { RedisKeys } from '@ajs/redis-keys';
import {
  RedisClusterServers,
  RedisSentinelServers,
  RedisServer,
  SURVIVES_KILL,
  TemporaryFolder,
  eventually,
} from '@ajs/testing';
import { Redis } from 'ioredis';

const KEYS = new RedisKeys();

/** One server whose files can be exchanged; a master and a replica with sentinels; three masters with a replica each. */
export const REDIS_KINDS = ['single', 'sentinel', 'cluster'] as const;
export type RedisKind = (typeof REDIS_KINDS)[number];

/** Where Redis keeps its append-only files, in its folder. */
const AOF = 'appendonlydir';
const HEALED_WITHIN_MS = 60_000;

/** One Redis that can come back with less than it had. */
export class SingleRedis {
  private constructor(
    readonly server: RedisServer,
    private readonly disk: TemporaryFolder,
  ) {}

  static async start(): Promise<SingleRedis> {
    const disk = new TemporaryFolder('chaos');
    return new SingleRedis(await RedisServer.start([...SURVIVES_KILL, '--dir', disk.path]), disk);
  }

  get url(): string {
    return this.server.url;
  }

  get target(): RedisTarget {
    return { kind: 'single', url: this.url };
  }

  /** Copies what is on disk now, for {@link bringBack}. */
  async keepDisk(): Promise<void> {
    await rm(this.keptDisk, { recursive: true, force: true });
    await cp(this.disk.file(AOF), this.keptDisk, { recursive: true });
  }

  /** Starts it again with everything it had acknowledged, with the copy made before, or with nothing. */
  async bringBack(having: 'all' | 'kept' | 'nothing'): Promise<void> {
    if (having !== 'all') await rm(this.disk.file(AOF), { recursive: true, force: true });
    if (having === 'kept') await cp(this.keptDisk, this.disk.file(AOF), { recursive: true });
    await this.server.restart();
  }

  async stop(): Promise<void> {
    await this.server.stop();
    this.disk.remove();
  }

  private get keptDisk(): string {
    return this.disk.file('kept');
  }
}

/** Several servers: a replica becomes master when a master is lost. */
export class ReplicatedRedis {
  private constructor(private readonly servers: RedisClusterServers | RedisSentinelServers) {}

  static async start(kind: 'sentinel' | 'cluster'): Promise<ReplicatedRedis> {
    return new ReplicatedRedis(
      kind === 'cluster'
        ? await RedisClusterServers.start({ replicas: 1, args: SURVIVES_KILL })
        : await RedisSentinelServers.start(SURVIVES_KILL),
    );
  }

  get url(): string {
    return this.servers.url;
  }

  get target(): RedisTarget {
    const nodesOf = (servers: readonly RedisServer[]) =>
      servers.map(({ port }) => ({ host: '127.0.0.1', port }));
    return this.servers instanceof RedisClusterServers
      ? { kind: 'cluster', nodes: nodesOf(this.servers.servers), tls: false }
      : {
          kind: 'sentinel',
          sentinels: nodesOf(this.servers.sentinels),
          name: this.servers.masterName,
          tls: false,
        };
  }

  /** Kills the master that holds a job set, or the work queue, and restarts it later; resolves once every server is in its role again. */
  async failOver(of: JobSetKey | 'work-queue', awayMs: number): Promise<void> {
    const key = of === 'work-queue' ? KEYS.workQueuePrefix : metaOf(of);
    const { servers } = this;
    const master = await (servers instanceof RedisClusterServers ? servers.masterOf(key) : servers.master());
    await master.kill();
    await sleep(awayMs);
    await master.restart();
    await eventually('every server is in its role again', () => this.isWhole(), HEALED_WITHIN_MS);
  }

  /** Moves the slot of a job set to another master of the cluster. */
  async moveSlot(of: JobSetKey): Promise<void> {
    if (!(this.servers instanceof RedisClusterServers)) throw new Error('only a cluster has slots');
    await this.servers.move(metaOf(of), () => Promise.resolve());
  }

  async stop(): Promise<void> {
    await this.servers.stop();
  }

  private async isWhole(): Promise<boolean> {
    const result = await Promise.all(this.servers.servers.map(replicationOf));
    const isPart = (info: string): boolean =>
      info.includes('role:master')
        ? /connected_slaves:[1-9]/.test(info)
        : info.includes('master_link_status:up');
    return result.every(isPart);
  }
}

async function replicationOf({ url }: RedisServer): Promise<string> {
  const client = new Redis(url);
  client.on('error', () => undefined);
  try {
    return await client.info('replication');
  } finally {
    client.disconnect();
  }
}

const metaOf = (jobSet: JobSetKey): string => KEYS.metaKey(jobSet);
