import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import { QueryMetrics } from '@ajs/observability';
import { SETTINGS } from '@ajs/runtime';
import { Admission } from './admission.js';
import { countRefusals } from './limit-reached.js';
import { MessageBudget } from './message-budget.js';

/** One {@link Admission} and one {@link MessageBudget} for the calls of all APIs together. */
@Module({
  providers: [
    {
      provide: Admission,
      inject: [SETTINGS, QueryMetrics],
      useFactory: (settings: Settings, metrics: QueryMetrics) => {
        const limits = { working: settings.maxConcurrentCalls, waiting: settings.maxWaitingCalls };
        const admission = new Admission(limits, countRefusals(metrics));
        metrics.waitingCalls.read = () => admission.waitingNow;
        return admission;
      },
    },
    {
      provide: MessageBudget,
      inject: [SETTINGS, QueryMetrics],
      useFactory: ({ maxBufferedBytes }: Settings, metrics: QueryMetrics) =>
        new MessageBudget(maxBufferedBytes, countRefusals(metrics)),
    },
  ],
  exports: [Admission, MessageBudget],
})
export class AdmissionModule {}
