import { Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import { RedisJobSetLife, RedisJobSink, keyTtlSeconds, type RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import {
  LOG,
  REPLICA_ID,
  Readiness,
  RedisConnections,
  RedisModule,
  RedisWrites,
  SETTINGS,
} from '@ajs/runtime';
import { JOB_SET_LIFE, JOB_SINK, REDIS_WRITER } from '../tokens.js';
import { warnOfEviction } from './eviction-check.js';

/** The job states in Redis, as the ingester writes them. */
@Module({
  imports: [RedisModule],
  providers: [
    {
      provide: REDIS_WRITER,
      inject: [RedisConnections],
      useFactory: (redis: RedisConnections) => redis.openMain('writer'),
    },
    {
      provide: JOB_SINK,
      inject: [REDIS_WRITER, REPLICA_ID, SETTINGS, LOG],
      useFactory: (redis: RedisClient, owner: string, settings: Settings, log: Log) =>
        new RedisJobSink(redis, {
          owner,
          ttlSeconds: keyTtlSeconds(settings.deleteAfterPollMs),
          onLost: (key, keysLost) =>
            log.error(
              { ...key, keysLost },
              'Redis lost keys of a job set; reading it again from the beginning',
            ),
          onKept: (key, jobs) =>
            log.error({ ...key, jobs }, 'refused to change the state of terminal jobs; kept the first state'),
          onUnreadable: (key, jobId, reason) =>
            log.warn(
              { ...key, jobId, reason },
              'cannot read the record of a job; rebuilding it from its next event',
            ),
        }),
    },
    {
      provide: JOB_SET_LIFE,
      inject: [REDIS_WRITER, SETTINGS],
      useFactory: (redis: RedisClient, settings: Settings) =>
        new RedisJobSetLife(redis, keyTtlSeconds(settings.deleteAfterPollMs)),
    },
  ],
  exports: [REDIS_WRITER, JOB_SINK, JOB_SET_LIFE],
})
export class JobStoreModule implements OnApplicationBootstrap {
  constructor(
    @Inject(REDIS_WRITER) private readonly redis: RedisClient,
    @Inject(RedisWrites) private readonly writes: RedisWrites,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(LOG) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.add('redisWrites', () => this.writes.check());
    void warnOfEviction(this.redis, this.log);
  }
}
