import { Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import type { JobSetLife, RedisClient } from '@ajs/job-store';
import { QueryMetrics } from '@ajs/observability';
import { completesWithin } from '@ajs/platform';
import { Readiness, RedisErrorLog, RedisModule, SETTINGS, WorkQueueModule } from '@ajs/runtime';
import { InterestRecorder, InterestStore, ReadRequestSender, WorkQueue } from '@ajs/subscriptions';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOB_SET_LIFE, NOTE_INTEREST, REDIS_READER } from '../tokens.js';
import type { NoteInterest } from './note-interest.js';

/** While Redis is unavailable the last notes cannot be written; the next poll notes the same. Milliseconds. */
const LAST_NOTES_TIMEOUT_MS = 500;

/** What polls have the ingesters do: follow a job set, or read it now. */
@Module({
  imports: [RedisModule, JobStoreModule, WorkQueueModule],
  providers: [
    {
      provide: InterestStore,
      inject: [REDIS_READER],
      useFactory: (redis: RedisClient) => new InterestStore(redis),
    },
    {
      provide: InterestRecorder,
      inject: [InterestStore, JOB_SET_LIFE, WorkQueue, SETTINGS, QueryMetrics, RedisErrorLog],
      useFactory: (
        interest: InterestStore,
        life: JobSetLife,
        workQueue: WorkQueue,
        settings: Settings,
        metrics: QueryMetrics,
        errors: RedisErrorLog,
      ) =>
        new InterestRecorder({
          interest,
          life,
          workQueue,
          maxJobSets: settings.maxJobSets,
          maxNewJobSetsPerCaller: settings.maxNewJobSetsPerCaller,
          onRefused: () => metrics.rejectedJobSets.inc(),
          onError: errors.report,
        }),
    },
    {
      provide: ReadRequestSender,
      inject: [REDIS_READER, WorkQueue],
      useFactory: (redis: RedisClient, workQueue: WorkQueue) => new ReadRequestSender(redis, workQueue),
    },
    {
      provide: NOTE_INTEREST,
      inject: [InterestRecorder],
      useFactory:
        (interest: InterestRecorder): NoteInterest =>
        (key, tag, caller) =>
          interest.record(key, tag, caller?.key),
    },
  ],
  exports: [InterestStore, InterestRecorder, ReadRequestSender, NOTE_INTEREST],
})
export class InterestModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(InterestRecorder) private readonly interest: InterestRecorder,
    @Inject(REDIS_READER) private readonly redis: RedisClient,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onModuleInit(): void {
    this.readiness.addLoop('interest', () => this.interest.progress.standstill, 'dispensable');
    // Redis may be back with less than it had.
    this.redis.on('ready', () => this.interest.invalidate());
  }

  async onApplicationShutdown(): Promise<void> {
    await completesWithin(LAST_NOTES_TIMEOUT_MS, this.interest.flushed());
  }
}
