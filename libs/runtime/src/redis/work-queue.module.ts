import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { completesWithin } from '@ajs/platform';
import { WorkQueue } from '@ajs/subscriptions';
import { RedisConnections } from './redis-connections.js';
import { RedisErrorLog } from './redis-error-log.js';
import { RedisModule } from './redis.module.js';

/** While Redis is unavailable the queue does not close. Milliseconds. */
const CLOSE_TIMEOUT_MS = 500;

/** {@link WorkQueue}, over a connection of its own. */
@Module({
  imports: [RedisModule],
  providers: [
    {
      provide: WorkQueue,
      inject: [RedisConnections, RedisErrorLog],
      useFactory: (redis: RedisConnections, errors: RedisErrorLog) =>
        new WorkQueue(redis.open('work-queue'), errors.report),
    },
  ],
  exports: [WorkQueue],
})
export class WorkQueueModule implements OnApplicationShutdown {
  constructor(@Inject(WorkQueue) private readonly workQueue: WorkQueue) {}

  async onApplicationShutdown(): Promise<void> {
    await completesWithin(CLOSE_TIMEOUT_MS, this.workQueue.close());
  }
}
