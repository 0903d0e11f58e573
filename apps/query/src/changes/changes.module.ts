import { Inject, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import type { JobDetailsLister, JobSetChanges } from '@ajs/job-store';
import { QueryMetrics } from '@ajs/observability';
import { RedisErrorLog, RedisModule } from '@ajs/runtime';
import { InterestRecorder } from '@ajs/subscriptions';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOB_LISTER, JOB_SET_CHANGES, NOTE_INTEREST } from '../tokens.js';
import { JobSetFeeds } from './job-set-feeds.js';

/** The changes of job sets, for whoever waits for them in this process. */
@Module({
  imports: [RedisModule, JobStoreModule, InterestModule],
  providers: [
    {
      provide: JobSetFeeds,
      inject: [JOB_SET_CHANGES, JOB_LISTER, NOTE_INTEREST, InterestRecorder, QueryMetrics, RedisErrorLog],
      useFactory: (
        changes: JobSetChanges,
        lister: JobDetailsLister,
        noteInterest: NoteInterest,
        interest: InterestRecorder,
        metrics: QueryMetrics,
        errors: RedisErrorLog,
      ) =>
        new JobSetFeeds({
          changes,
          lister,
          noteInterest,
          refusalOf: (tag, { key }) => interest.refusal(tag, key),
          onCount: (feeds) => metrics.changeFeeds.set(feeds),
          onMissed: () => metrics.missedChanges.inc(),
          onError: errors.report,
        }),
    },
  ],
  exports: [JobSetFeeds],
})
export class ChangesModule implements BeforeApplicationShutdown {
  constructor(@Inject(JobSetFeeds) private readonly feeds: JobSetFeeds) {}

  /** When no call is open any more. */
  beforeApplicationShutdown(): void {
    this.feeds.close();
  }
}
