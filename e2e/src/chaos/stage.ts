import { FakeArmada } from '@ajs/testing';
import { AppSlot } from './app-slot.js';
import { ReplicatedRedis, SingleRedis, type RedisKind } from './chaos-redis.js';
import type { Excess, MetaChange, ProcessHistory } from './history.js';
import { QUEUE } from './plan.js';
import { now, type Target } from './pollers.js';
import { RedisWatch } from './redis-watch.js';
import { TcpGate } from './tcp-gate.js';

const SAMPLE_EVERY_MS = 500;
const COUNT_WATCHES_EVERY_MS = 50;
/** Short, so that a short run has many scheduled reads. */
const SHORT_READ_INTERVALS = { MIN_READ_INTERVAL: '500ms', MAX_READ_INTERVAL: '2s' };
/** A busy machine starts processes slowly, and more slowly while Redis or Armada are unavailable. */
export const START_MS = 60_000;

export interface StageOptions {
  readonly ingesters: number;
  readonly queries: number;
  readonly redis: RedisKind;
  readonly watchBudget: number;
  /** Bundles. */
  readonly scripts: { readonly ingester: string; readonly query: string };
}

/** The processes of a run, a real Redis, and a fake Armada in this process, all behind gates. */
export class Stage {
  /** When more watches were open at Armada than the budget. */
  readonly excesses: Excess[] = [];
  private readonly timers: readonly NodeJS.Timeout[];

  private constructor(
    readonly armada: FakeArmada,
    readonly redis: SingleRedis | ReplicatedRedis,
    readonly armadaGate: TcpGate,
    readonly ingesters: readonly AppSlot[],
    readonly queries: readonly AppSlot[],
    private readonly watch: RedisWatch | undefined,
    private readonly watchBudget: number,
  ) {
    this.timers = [
      setInterval(() => {
        for (const slot of this.slots) slot.sample();
      }, SAMPLE_EVERY_MS),
      setInterval(() => this.countWatches(), COUNT_WATCHES_EVERY_MS),
    ];
  }

  static async start(options: StageOptions): Promise<Stage> {
    const { ingesters, queries, redis: kind, watchBudget, scripts } = options;
    const redis = kind === 'single' ? await SingleRedis.start() : await ReplicatedRedis.start(kind);
    const armada = new FakeArmada();
    const port = Number((await armada.listen('127.0.0.1:0')).split(':').at(-1));
    const armadaGate = await TcpGate.to(port);
    const slot = async (app: 'ingester' | 'query', n: number): Promise<AppSlot> => {
      const gate = redis instanceof SingleRedis ? await TcpGate.to(redis.server.port) : undefined;
      return new AppSlot(`${app} ${n}`, gate, scripts[app], {
        REDIS_URL: gate === undefined ? redis.url : `redis://${gate.address}`,
        ARMADA_URL: armadaGate.address,
        AUTH_MODE: 'anonymous',
        QUERY_GRPC_ADDRESS: '127.0.0.1:0',
        QUERY_HTTP_ADDRESS: '127.0.0.1:0',
        INGESTER_HTTP_ADDRESS: '127.0.0.1:0',
        WATCH_BUDGET: `${watchBudget}`,
        ...SHORT_READ_INTERVALS,
      });
    };
    const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
    const ingesterSlots = await Promise.all(count(ingesters).map((n) => slot('ingester', n)));
    const querySlots = await Promise.all(count(queries).map((n) => slot('query', n)));
    const slots = [...ingesterSlots, ...querySlots];
    const watch =
      redis instanceof SingleRedis
        ? new RedisWatch(redis.server.port, (from) => slots.find((one) => one.redis?.ports.has(from))?.name)
        : undefined;
    const stage = new Stage(armada, redis, armadaGate, ingesterSlots, querySlots, watch, watchBudget);
    armada.state.queues.add(QUEUE);
    await watch?.start();
    await Promise.all(slots.map((one) => one.start(START_MS)));
    return stage;
  }

  /** The single Redis, for faults that only it can have. */
  get singleRedis(): SingleRedis {
    if (this.redis instanceof SingleRedis) return this.redis;
    throw new Error('Redis consists of several servers');
  }

  /** The servers of a replicated Redis, for faults that only they can have. */
  get replicatedRedis(): ReplicatedRedis {
    if (this.redis instanceof ReplicatedRedis) return this.redis;
    throw new Error('Redis is a single server');
  }

  /** Writes to the metas of job sets; empty where Redis consists of several servers. */
  get writes(): readonly MetaChange[] {
    return this.watch?.changes ?? [];
  }

  get slots(): readonly AppSlot[] {
    return [...this.ingesters, ...this.queries];
  }

  /** The queries that run now. */
  targets(): Target[] {
    return this.queries.flatMap(({ target }) => target ?? []);
  }

  processes(): ProcessHistory[] {
    return this.slots.flatMap((slot) => slot.history());
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.watch?.stop();
    await Promise.all(this.slots.map((slot) => slot.kill()));
    await this.armadaGate.close();
    for (const { redis } of this.slots) await redis?.close();
    this.armada.stop();
    await this.redis.stop();
  }

  private countWatches(): void {
    const { watches } = this.armada.events;
    const last = this.excesses.at(-1);
    const at = now();
    const isOn = last !== undefined && at - last.to < COUNT_WATCHES_EVERY_MS * 3;
    if (watches <= this.watchBudget) return;
    const most = Math.max(watches, isOn ? last.most : 0);
    const excess = { from: isOn ? last.from : at, to: at, most, allowed: this.watchBudget };
    this.excesses.splice(isOn ? -1 : this.excesses.length, 1, excess);
  }
}
