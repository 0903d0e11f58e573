import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeArmada, RedisServer } from '@ajs/testing';
import { AppSlot } from './app-slot.js';
import type { ProcessHistory } from './history.js';
import { QUEUE } from './plan.js';
import type { Target } from './pollers.js';
import { RedisWatch } from './redis-watch.js';
import { TcpGate } from './tcp-gate.js';

/** Where Redis keeps its append-only files, in its folder. */
const AOF = 'appendonlydir';
const SAMPLE_EVERY_MS = 500;
/** A busy machine takes long to start a process, longer while Redis or Armada are away. */
export const START_MS = 60_000;

export interface StageOptions {
  readonly ingesters: number;
  readonly queries: number;
  /** Built applications. */
  readonly scripts: { readonly ingester: string; readonly query: string };
}

/** Where a run takes place: real processes, a real Redis whose disk is at hand, and a fake Armada in this process, behind gates. */
export class Stage {
  private readonly sampling: NodeJS.Timeout;

  private constructor(
    readonly armada: FakeArmada,
    readonly redis: RedisServer,
    private readonly disk: string,
    readonly armadaGate: TcpGate,
    readonly ingesters: readonly AppSlot[],
    readonly queries: readonly AppSlot[],
    readonly watch: RedisWatch,
  ) {
    this.sampling = setInterval(() => {
      for (const slot of this.slots) slot.sample();
    }, SAMPLE_EVERY_MS);
  }

  static async start({ ingesters, queries, scripts }: StageOptions): Promise<Stage> {
    const disk = await mkdtemp(join(tmpdir(), 'armada-job-service-chaos-'));
    // Acknowledged is on disk: only what a fault takes away is lost.
    const redis = await RedisServer.start(['--dir', disk, '--appendonly', 'yes', '--appendfsync', 'always']);
    const armada = new FakeArmada();
    const port = Number((await armada.listen('127.0.0.1:0')).split(':').at(-1));
    const armadaGate = await TcpGate.to(port);
    const slot = async (app: 'ingester' | 'query', n: number): Promise<AppSlot> =>
      new AppSlot(`${app} ${n}`, await TcpGate.to(redis.port), scripts[app], {
        ARMADA_URL: armadaGate.address,
        AUTH_MODE: 'anonymous',
        QUERY_GRPC_ADDRESS: '127.0.0.1:0',
        QUERY_HTTP_ADDRESS: '127.0.0.1:0',
        INGESTER_HTTP_ADDRESS: '127.0.0.1:0',
      });
    const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
    const ingesterSlots = await Promise.all(count(ingesters).map((n) => slot('ingester', n)));
    const querySlots = await Promise.all(count(queries).map((n) => slot('query', n)));
    const slots = [...ingesterSlots, ...querySlots];
    const watch = new RedisWatch(redis.port, (from) => slots.find((one) => one.redis.ports.has(from))?.name);
    const stage = new Stage(armada, redis, disk, armadaGate, ingesterSlots, querySlots, watch);
    armada.state.queues.add(QUEUE);
    await watch.start();
    await Promise.all(slots.map((one) => one.start(START_MS)));
    return stage;
  }
  get slots(): readonly AppSlot[] {
    return [...this.ingesters, ...this.queries];
  }

  /** The queries there are now. */
  targets(): Target[] {
    return this.queries.flatMap(({ target }) => target ?? []);
  }

  processes(): ProcessHistory[] {
    return this.slots.flatMap((slot) => slot.history());
  }

  /** Keeps what Redis has on its disk now, for {@link bringRedisBack}. */
  async keepDisk(): Promise<void> {
    await rm(this.keptDisk, { recursive: true, force: true });
    await cp(join(this.disk, AOF), this.keptDisk, { recursive: true });
  }

  /** After its end: Redis starts with all that it had acknowledged, with what was kept before, or with nothing. */
  async bringRedisBack(having: 'all' | 'kept' | 'nothing'): Promise<void> {
    if (having !== 'all') await rm(join(this.disk, AOF), { recursive: true, force: true });
    if (having === 'kept') await cp(this.keptDisk, join(this.disk, AOF), { recursive: true });
    await this.redis.restart();
  }

  async stop(): Promise<void> {
    clearInterval(this.sampling);
    this.watch.stop();
    await Promise.all(this.slots.map((slot) => slot.kill()));
    await Promise.all([this.armadaGate, ...this.slots.map(({ redis }) => redis)].map((gate) => gate.close()));
    this.armada.stop();
    await this.redis.stop();
    await rm(this.disk, { recursive: true, force: true });
  }

  private get keptDisk(): string {
    return join(this.disk, 'kept');
  }
}
