import { Module } from '@nestjs/common';
import { RedisConnections } from './redis-connections.js';
import { RedisErrorLog } from './redis-error-log.js';

/** {@link RedisConnections} and {@link RedisErrorLog}. What uses Redis imports it, and so stops before the connections close. */
@Module({
  providers: [RedisConnections, RedisErrorLog],
  exports: [RedisConnections, RedisErrorLog],
})
export class RedisModule {}
