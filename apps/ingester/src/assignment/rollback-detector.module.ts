import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import { LOG, REPLICA_ID, Readiness, RedisErrorLog, RedisModule, WorkQueueModule } from '@ajs/runtime';
import { JobSetWorker, RollbackDetector, WorkQueue } from '@ajs/subscriptions';
import { JobStoreModule } from '../store/job-store.module.js';
import { REDIS_WRITER } from '../tokens.js';
import { WorkerModule } from './worker.module.js';

/** Has every job set read again when Redis lost writes. */
@Module({
  imports: [RedisModule, JobStoreModule, WorkQueueModule, WorkerModule],
  providers: [
    {
      provide: RollbackDetector,
      inject: [REDIS_WRITER, REPLICA_ID, JobSetWorker, WorkQueue, RedisErrorLog, LOG],
      useFactory: (
        redis: RedisClient,
        replicaId: string,
        worker: JobSetWorker,
        workQueue: WorkQueue,
        errors: RedisErrorLog,
        log: Log,
      ) =>
        new RollbackDetector(
          redis,
          replicaId,
          () => {
            log.warn('Redis lost writes; reading every job set again');
            worker.heartbeat();
            workQueue.promoteAll().catch(errors.report);
          },
          errors.report,
        ),
    },
  ],
})
export class RollbackDetectorModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(RollbackDetector) private readonly detector: RollbackDetector,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.addLoop('rollbackDetector', () => this.detector.progress.standstill, 'needed');
    this.detector.start();
  }

  onModuleDestroy(): void {
    this.detector.close();
  }
}
