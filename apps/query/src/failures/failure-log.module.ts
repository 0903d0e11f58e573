import { Module } from '@nestjs/common';
import { Metrics, type Log } from '@ajs/observability';
import { LOG } from '@ajs/runtime';
import { FailureLog } from './failure-log.js';

/** One {@link FailureLog} for the calls of all APIs together. */
@Module({
  providers: [
    {
      provide: FailureLog,
      inject: [LOG, Metrics],
      useFactory: (log: Log, metrics: Metrics) => new FailureLog(log, metrics),
    },
  ],
  exports: [FailureLog],
})
export class FailureLogModule {}
