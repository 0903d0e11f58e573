import { Module } from '@nestjs/common';
import { RedisConnections } from './redis-connections.js';
import { RedisErrorLog } from './redis-error-log.js';
import { RedisWrites } from './redis-writes.js';

/** {@link RedisConnections}, {@link RedisErrorLog} and {@link RedisWrites}. What uses Redis imports it, and so stops before the connections close. */
@Module({
  providers: [RedisConnections, RedisErrorLog, RedisWrites],
  exports: [RedisConnections, RedisErrorLog, RedisWrites],
})
export class RedisModule {}
