import { Module } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import { Metrics, type Log } from '@ajs/observability';
import { ARMADA, ArmadaModule, LOG, SETTINGS } from '@ajs/runtime';
import { Reconciler } from '@ajs/subscriptions';
import { armadaJobEnds } from './armada-job-ends.js';
import { reconcileObserver } from './reconcile-observer.js';

/** Compares unfinished jobs with Armada's `api.Jobs`. */
@Module({
  imports: [ArmadaModule],
  providers: [
    {
      provide: Reconciler,
      inject: [ARMADA, SETTINGS, LOG, Metrics],
      useFactory: (armada: ArmadaClient, settings: Settings, log: Log, metrics: Metrics) =>
        new Reconciler({
          armada: armadaJobEnds(armada.jobs),
          observer: reconcileObserver(log, metrics),
          unfinishedAfterMs: settings.reconcileUnfinishedAfterMs,
          eventRetentionMs: settings.eventRetentionMs,
          now: () => Date.now(),
        }),
    },
  ],
  exports: [Reconciler],
})
export class ReconciliationModule {}
