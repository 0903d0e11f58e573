import { Inject, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import type { JobSink, RedisClient } from '@ajs/job-store';
import { IngesterMetrics, type Log } from '@ajs/observability';
import { completesWithin } from '@ajs/platform';
import {
  ARMADA,
  ArmadaModule,
  LOG,
  Readiness,
  RedisConnections,
  RedisErrorLog,
  RedisModule,
  SETTINGS,
  Shutdown,
  WorkQueueModule,
} from '@ajs/runtime';
import {
  JobSetWorker,
  REFLECTOR_TIMING,
  Reconciler,
  UpstreamQuota,
  WatchBudget,
  WorkQueue,
  listenForReadRequests,
  showConnected,
} from '@ajs/subscriptions';
import { BudgetModule } from '../budget/budget.module.js';
import { ReconciliationModule } from '../reconciliation/reconciliation.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOB_SINK, REDIS_WRITER } from '../tokens.js';
import { AssignmentLog } from './assignment-log.js';
import { EventLagLog } from './event-lag-log.js';

/** Handing everything over takes much less, if Redis answers. Milliseconds. */
const HAND_OVER_TIMEOUT_MS = 3_000;

/** The worker: takes assignments while the process runs, and hands every one of them over when it stops. */
@Module({
  imports: [RedisModule, ArmadaModule, JobStoreModule, WorkQueueModule, BudgetModule, ReconciliationModule],
  providers: [
    AssignmentLog,
    EventLagLog,
    {
      provide: JobSetWorker,
      inject: [
        RedisConnections,
        JOB_SINK,
        ARMADA,
        WatchBudget,
        UpstreamQuota,
        Reconciler,
        AssignmentLog,
        SETTINGS,
        IngesterMetrics,
        RedisErrorLog,
        Shutdown,
      ],
      useFactory: (
        redis: RedisConnections,
        sink: JobSink,
        armada: ArmadaClient,
        watches: WatchBudget,
        quota: UpstreamQuota,
        reconciler: Reconciler,
        observer: AssignmentLog,
        settings: Settings,
        metrics: IngesterMetrics,
        errors: RedisErrorLog,
        shutdown: Shutdown,
      ) =>
        new JobSetWorker({
          connection: redis.open('work-queue'),
          sink,
          source: armada.events({
            unknownKind: () => metrics.skippedMessages.inc({ kind: 'unknown' }),
            malformed: () => metrics.skippedMessages.inc({ kind: 'malformed' }),
          }),
          watches,
          watchBudget: settings.watchBudget,
          quota,
          observer,
          reconciler,
          timing: REFLECTOR_TIMING,
          rebalanceIntervalMs: settings.rebalanceIntervalMs,
          onError: errors.report,
          onEnded: (error) => shutdown.loopEnded('assignmentFetch', error),
        }),
    },
  ],
  exports: [JobSetWorker, EventLagLog],
})
export class WorkerModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(JobSetWorker) private readonly worker: JobSetWorker,
    @Inject(REDIS_WRITER) private readonly writer: RedisClient,
    @Inject(RedisConnections) private readonly redis: RedisConnections,
    @Inject(RedisErrorLog) private readonly errors: RedisErrorLog,
    @Inject(LOG) private readonly log: Log,
    @Inject(WorkQueue) private readonly workQueue: WorkQueue,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.add('workQueue', () => this.workQueue.check());
    for (const [part, standstill] of Object.entries(this.worker.loops)) {
      this.readiness.addLoop(part, standstill, 'needed');
    }
    // Redis may be back with less than it had.
    this.writer.on('ready', () => this.worker.heartbeat());
    // Not awaited: it takes until Redis is available, and HTTP must not wait for that.
    const subscriber = this.redis.open('work-queue');
    Promise.all([
      listenForReadRequests(subscriber, (key) => this.worker.requestRead(key), this.errors.report),
      showConnected(subscriber, this.worker.owner, this.errors.report),
    ]).catch(this.errors.report);
    this.worker.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (await completesWithin(HAND_OVER_TIMEOUT_MS, this.worker.stop())) return;
    this.log.warn(
      'could not hand over all assignments: Redis does not answer; other replicas take over when the leases expire',
    );
  }
}
