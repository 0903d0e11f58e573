import { Module } from '@nestjs/common';
import { QueryMetrics, type Log } from '@ajs/observability';
import { LOG } from '@ajs/runtime';
import { FailureLog } from './failure-log.js';

/** One {@link FailureLog} for the calls of all APIs together. */
@Module({
  providers: [
    {
      provide: FailureLog,
      inject: [LOG, QueryMetrics],
      useFactory: (log: Log, metrics: QueryMetrics) => new FailureLog(log, metrics),
    },
  ],
  exports: [FailureLog],
})
export class FailureLogModule {}
