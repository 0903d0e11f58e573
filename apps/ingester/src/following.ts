import { completesWithin } from '@ajs/platform';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import {
  RedisJobSetLife,
  RedisJobSink,
  createRedisClient,
  redisErrorKind,
  keyTtlSeconds,
  memoryOf,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { logConnection, throttledLog, type Log, type Metrics } from '@ajs/observability';
import { formatKey } from '@ajs/redis-keys';
import {
  RollbackDetector,
  InterestStore,
  REFLECTOR_TIMING,
  UpstreamQuota,
  ReadBudget,
  ReadSchedule,
  Reconciler,
  Sweeper,
  JobSetWorker,
  WatchBudget,
  WorkQueue,
  listenForReadRequests,
  type Lifetime,
} from '@ajs/subscriptions';
import { jobEnds } from './job-ends.js';
import { observeFollowing } from './observe-following.js';
import { observeReconciling } from './observe-reconciling.js';

/** A lost hint waits this long at most before its job set is followed after all. */
const SWEEP_EVERY_MS = 5_000;
/** Handing everything over takes much less, if Redis answers. */
const HAND_OVER_MS = 3_000;
const FIGURES_EVERY_MS = 5_000;

export interface FollowingOptions {
  readonly settings: Settings;
  readonly armada: ArmadaClient;
  readonly replicaId: string;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Everything this replica does, put together: turns from the work queue, polls that ask, the sweep. */
export class Following {
  private readonly clients: RedisClient[] = [];
  private readonly redis: RedisClient;
  private readonly subscriber: RedisClient;
  private readonly workQueue: WorkQueue;
  private readonly turns: JobSetWorker;
  private readonly sweeper: Sweeper;
  private readonly canary: RollbackDetector;
  private readonly figures: NodeJS.Timeout;

  constructor(private readonly options: FollowingOptions) {
    const { settings, armada, replicaId, log, metrics } = options;
    const lifetime: Lifetime = {
      followFor: settings.followAfterPollMs,
      followUnfinishedFor: settings.followUnfinishedAfterPollMs,
      keepFor: settings.deleteAfterPollMs,
    };
    const ttlSeconds = keyTtlSeconds(settings.deleteAfterPollMs);
    const isToBeTold = throttledLog();
    const onError = (error: Error): void => {
      metrics.redisErrors.inc({ cause: redisErrorKind(error) });
      log[isToBeTold(error.message) ? 'warn' : 'debug']({ err: error }, 'Redis does not do what it is asked');
    };
    this.redis = this.connect('writer');
    logConnection(this.redis, log);
    this.subscriber = this.connect('work-queue');
    const demand = new InterestStore(this.redis);
    const life = new RedisJobSetLife(this.redis, ttlSeconds);
    this.workQueue = new WorkQueue(this.connect('work-queue'), onError);
    const { watchBudget } = settings;
    const watches = new WatchBudget({ redis: this.redis, replicaId, budget: watchBudget, onError });
    const readsPerSecond = (): number => settings.upstreamReadsPerSecond / watches.replicas;
    const reads = new ReadBudget(readsPerSecond);
    const planner = new UpstreamQuota({
      interest: demand,
      lifetime,
      watches,
      reads,
      schedule: new ReadSchedule({
        shortestMs: settings.minReadIntervalMs,
        longestMs: settings.maxReadIntervalMs,
        perSecond: readsPerSecond,
      }),
      onRead: () => metrics.upstreamReads.inc(),
      now: () => Date.now(),
    });
    this.turns = new JobSetWorker({
      connection: this.connect('work-queue'),
      sink: new RedisJobSink(this.redis, {
        ttlSeconds,
        onLost: (key, keysLost) =>
          log.error(
            { ...key, keysLost },
            'keys of a job set are gone from Redis: it is read again from the beginning',
          ),
        onKept: (key, jobs) =>
          log.error(
            { ...key, jobs },
            'ended jobs would have changed their state: they were kept as they were',
          ),
      }),
      source: armada.events,
      watches,
      watchBudget,
      quota: planner,
      observer: observeFollowing(log, metrics),
      reconciler: new Reconciler({
        armada: jobEnds(armada.jobs),
        observer: observeReconciling(log, metrics),
        unfinishedAfterMs: settings.reconcileUnfinishedAfterMs,
        eventRetentionMs: settings.eventRetentionMs,
        now: () => Date.now(),
      }),
      timing: REFLECTOR_TIMING,
      rebalanceIntervalMs: settings.rebalanceIntervalMs,
      onError,
    });
    this.canary = new RollbackDetector(
      this.redis,
      () => {
        log.warn('Redis has lost what it had: every job set is read again');
        this.turns.heartbeat();
        this.workQueue.promoteAll().catch(onError);
      },
      onError,
    );
    this.figures = setInterval(() => {
      metrics.watches.set(watches.size);
      metrics.assignments.set(this.turns.size);
      metrics.upstreamReadsWaiting.set(reads.backlog);
      this.workQueue.countDelayed().then((count) => metrics.jobSetsAwaitingRead.set(count), onError);
    }, FIGURES_EVERY_MS);
    this.sweeper = new Sweeper({
      redis: this.redis,
      replicaId,
      interest: demand,
      life,
      workQueue: this.workQueue,
      lifetime,
      onError,
    });
  }

  async start(): Promise<void> {
    await this.checkEviction();
    this.redis.on('ready', () => this.turns.heartbeat());
    await listenForReadRequests(this.subscriber, (key) => this.turns.requestRead(key));
    this.turns.start();
    this.sweeper.start(SWEEP_EVERY_MS);
    this.canary.start();
  }

  /** Hands every job set over and lets go of Redis. */
  async stop(): Promise<void> {
    this.sweeper.stop();
    this.canary.close();
    clearInterval(this.figures);
    const handOver = this.turns.stop().then(() => this.workQueue.close());
    if (!(await completesWithin(HAND_OVER_MS, handOver))) {
      this.options.log.warn(
        'Redis does not answer: nothing is handed over, others take over when the leases end',
      );
    }
    for (const client of this.clients) client.disconnect();
  }

  /** Rejects where Redis does not answer. */
  async checkRedis(): Promise<void> {
    await this.redis.exists(formatKey({ kind: 'replicas' }));
  }

  async checkWorkQueue(): Promise<void> {
    await this.workQueue.check();
  }

  /** Rejects where Redis is full: what is known is still answered, and nothing new is written. */
  async checkRedisMemory(): Promise<void> {
    // Where it does not answer, or does not tell us, that is another check's concern.
    const masters = await memoryOf(this.redis).catch(() => []);
    if (masters.some(({ isFull, policy }) => isFull && policy === 'noeviction')) {
      throw new Error(
        'Redis has reached its maxmemory and refuses writes; give it more memory, or lower DELETE_AFTER_POLL',
      );
    }
  }

  /** Redis must not remove keys by itself: a job set that lost some is read from Armada again, if Armada still has it. */
  private async checkEviction(): Promise<void> {
    const { log } = this.options;
    try {
      const policies = new Set((await memoryOf(this.redis)).map(({ policy }) => policy));
      policies.delete('noeviction');
      if (policies.size > 0) {
        log.warn(
          { policies: [...policies] },
          'Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
        );
      }
    } catch (error) {
      log.warn({ err: error }, 'could not check that Redis evicts no keys (maxmemory-policy noeviction)');
    }
  }

  private connect(role: ClientRole): RedisClient {
    const { settings, log, metrics } = this.options;
    const client = createRedisClient(settings.redis, role, (error) => {
      metrics.redisErrors.inc({ cause: redisErrorKind(error) });
      log.debug({ err: error, role }, 'a connection to Redis failed');
    });
    this.clients.push(client);
    return client;
  }
}
