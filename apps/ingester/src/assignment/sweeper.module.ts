import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { RedisJobLister, type JobSetLife, type RedisClient } from '@ajs/job-store';
import { IngesterMetrics } from '@ajs/observability';
import { REPLICA_ID, Readiness, RedisErrorLog, RedisModule, WorkQueueModule } from '@ajs/runtime';
import { InterestStore, Sweeper, WorkQueue, type Lifetime } from '@ajs/subscriptions';
import { InterestModule } from '../interest/interest.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOB_SET_LIFE, LIFETIME, REDIS_WRITER } from '../tokens.js';

/** A job set whose wake-up was lost waits this long at most. Milliseconds. */
const SWEEP_INTERVAL_MS = 5_000;

/** The sweeper: one replica at a time goes through the interest. */
@Module({
  imports: [RedisModule, JobStoreModule, InterestModule, WorkQueueModule],
  providers: [
    {
      provide: Sweeper,
      inject: [
        REDIS_WRITER,
        REPLICA_ID,
        InterestStore,
        JOB_SET_LIFE,
        WorkQueue,
        LIFETIME,
        IngesterMetrics,
        RedisErrorLog,
      ],
      useFactory: (
        redis: RedisClient,
        replicaId: string,
        interest: InterestStore,
        life: JobSetLife,
        workQueue: WorkQueue,
        lifetime: Lifetime,
        { jobSets }: IngesterMetrics,
        errors: RedisErrorLog,
      ) =>
        new Sweeper({
          redis,
          replicaId,
          interest,
          life,
          workQueue,
          lifetime,
          lister: new RedisJobLister(redis),
          onSwept: (counts = new Map()) => {
            jobSets.reset();
            for (const [state, count] of counts) jobSets.set({ state }, count);
          },
          onError: errors.report,
        }),
    },
  ],
})
export class SweeperModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(Sweeper) private readonly sweeper: Sweeper,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.addLoop('sweeper', () => this.sweeper.progress.standstill, 'needed');
    this.sweeper.start(SWEEP_INTERVAL_MS);
  }

  onModuleDestroy(): void {
    this.sweeper.stop();
  }
}
