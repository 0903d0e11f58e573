import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import { QueryMetrics } from '@ajs/observability';
import { SETTINGS } from '@ajs/runtime';
import { Admission } from './admission.js';
import type { Refused } from './limit-reached.js';
import { MessageBudget } from './message-budget.js';

const counting =
  ({ shedCalls }: QueryMetrics): Refused =>
  (pool, limit) =>
    shedCalls.inc({ pool, limit });

/** One {@link Admission} and one {@link MessageBudget} for the calls of all APIs together. */
@Module({
  providers: [
    {
      provide: Admission,
      inject: [SETTINGS, QueryMetrics],
      useFactory: (settings: Settings, metrics: QueryMetrics) =>
        new Admission(
          { working: settings.maxConcurrentCalls, waiting: settings.maxWaitingCalls },
          counting(metrics),
        ),
    },
    {
      provide: MessageBudget,
      inject: [SETTINGS, QueryMetrics],
      useFactory: ({ maxBufferedBytes }: Settings, metrics: QueryMetrics) =>
        new MessageBudget(maxBufferedBytes, counting(metrics)),
    },
  ],
  exports: [Admission, MessageBudget],
})
export class AdmissionModule {}
