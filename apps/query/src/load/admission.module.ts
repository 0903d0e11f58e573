import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import { QueryMetrics } from '@ajs/observability';
import { SETTINGS } from '@ajs/runtime';
import { Admission } from './admission.js';

/** One {@link Admission} for the calls of all APIs together. */
@Module({
  providers: [
    {
      provide: Admission,
      inject: [SETTINGS, QueryMetrics],
      useFactory: (settings: Settings, metrics: QueryMetrics) =>
        new Admission(
          { working: settings.maxConcurrentCalls, waiting: settings.maxWaitingCalls },
          (pool, limit) => metrics.shedCalls.inc({ pool, limit }),
        ),
    },
  ],
  exports: [Admission],
})
export class AdmissionModule {}
