import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import { SETTINGS } from '@ajs/runtime';
import { InterestStore, type Lifetime } from '@ajs/subscriptions';
import { JobStoreModule } from '../store/job-store.module.js';
import { LIFETIME, REDIS_WRITER } from '../tokens.js';

/** Which job sets are polled, and for how long a poll keeps one. */
@Module({
  imports: [JobStoreModule],
  providers: [
    {
      provide: InterestStore,
      inject: [REDIS_WRITER],
      useFactory: (redis: RedisClient) => new InterestStore(redis),
    },
    {
      provide: LIFETIME,
      inject: [SETTINGS],
      useFactory: (settings: Settings): Lifetime => ({
        followFor: settings.followAfterPollMs,
        followUnfinishedFor: settings.followUnfinishedAfterPollMs,
        keepFor: settings.deleteAfterPollMs,
      }),
    },
  ],
  exports: [InterestStore, LIFETIME],
})
export class InterestModule {}
