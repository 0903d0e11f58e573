import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import {
  RedisJobLister,
  RedisJobSetChanges,
  RedisJobSetLife,
  RedisJobSetLister,
  RedisProvisionalJobSink,
  keyTtlSeconds,
  type RedisClient,
} from '@ajs/job-store';
import { RedisConnections, RedisModule, SETTINGS } from '@ajs/runtime';
import { CoalescedLister } from './coalesced-lister.js';
import { PolledJobs } from './polled-jobs.js';
import {
  JOB_LISTER,
  JOB_SET_CHANGES,
  JOB_SET_LIFE,
  JOB_SET_LISTER,
  PROVISIONAL_JOBS,
  REDIS_READER,
} from '../tokens.js';

/** The job states in Redis, as the query reads them. */
@Module({
  imports: [RedisModule],
  providers: [
    { provide: PolledJobs, useFactory: () => new PolledJobs() },
    {
      provide: REDIS_READER,
      inject: [RedisConnections],
      useFactory: (redis: RedisConnections) => redis.openMain('reader'),
    },
    {
      provide: JOB_LISTER,
      inject: [REDIS_READER, PolledJobs],
      useFactory: (redis: RedisClient, polled: PolledJobs) =>
        new CoalescedLister(new RedisJobLister(redis), (view) => polled.add(view)),
    },
    {
      provide: JOB_SET_LISTER,
      inject: [REDIS_READER],
      useFactory: (redis: RedisClient) => new RedisJobSetLister(redis),
    },
    {
      provide: JOB_SET_CHANGES,
      inject: [REDIS_READER, RedisConnections],
      useFactory: (redis: RedisClient, connections: RedisConnections) =>
        new RedisJobSetChanges(redis, connections.open('subscriber')),
    },
    {
      provide: JOB_SET_LIFE,
      inject: [REDIS_READER, SETTINGS],
      useFactory: (redis: RedisClient, settings: Settings) =>
        new RedisJobSetLife(redis, keyTtlSeconds(settings.deleteAfterPollMs)),
    },
    {
      provide: PROVISIONAL_JOBS,
      inject: [REDIS_READER, SETTINGS],
      useFactory: (redis: RedisClient, settings: Settings) =>
        new RedisProvisionalJobSink(redis, keyTtlSeconds(settings.deleteAfterPollMs)),
    },
  ],
  exports: [
    REDIS_READER,
    JOB_SET_CHANGES,
    JOB_LISTER,
    PolledJobs,
    JOB_SET_LIFE,
    JOB_SET_LISTER,
    PROVISIONAL_JOBS,
  ],
})
export class JobStoreModule {}
