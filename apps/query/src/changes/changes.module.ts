import { Inject, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import {
  RedisJobSetChanges,
  type JobDetailsLister,
  type JobSetChanges,
  type RedisClient,
} from '@ajs/job-store';
import { QueryMetrics } from '@ajs/observability';
import { RedisConnections, RedisErrorLog, RedisModule } from '@ajs/runtime';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOB_LISTER, JOB_SET_CHANGES, NOTE_INTEREST, REDIS_READER } from '../tokens.js';
import { JobSetFeeds } from './job-set-feeds.js';

/** The changes of job sets, for whoever waits for them in this process. */
@Module({
  imports: [RedisModule, JobStoreModule, InterestModule],
  providers: [
    {
      provide: JOB_SET_CHANGES,
      inject: [REDIS_READER, RedisConnections],
      useFactory: (redis: RedisClient, connections: RedisConnections) =>
        new RedisJobSetChanges(redis, connections.open('subscriber')),
    },
    {
      provide: JobSetFeeds,
      inject: [JOB_SET_CHANGES, JOB_LISTER, NOTE_INTEREST, QueryMetrics, RedisErrorLog],
      useFactory: (
        changes: JobSetChanges,
        lister: JobDetailsLister,
        noteInterest: NoteInterest,
        metrics: QueryMetrics,
        errors: RedisErrorLog,
      ) =>
        new JobSetFeeds({
          changes,
          lister,
          noteInterest,
          onCount: (feeds) => metrics.changeFeeds.set(feeds),
          onMissed: () => metrics.missedChanges.inc(),
          onError: errors.report,
        }),
    },
  ],
  exports: [JobSetFeeds, JOB_SET_CHANGES],
})
export class ChangesModule implements BeforeApplicationShutdown {
  constructor(@Inject(JobSetFeeds) private readonly feeds: JobSetFeeds) {}

  /** When no call is open any more. */
  beforeApplicationShutdown(): void {
    this.feeds.close();
  }
}
