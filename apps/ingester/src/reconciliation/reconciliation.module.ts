import { armadaNow } from '@ajs/platform';
import { Module } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import { ARMADA, ArmadaModule, SETTINGS } from '@ajs/runtime';
import { Reconciler } from '@ajs/subscriptions';
import { ArmadaTerminalStates } from './armada-terminal-states.js';
import { ReconcileLog } from './reconcile-log.js';

/** Compares unfinished jobs with Armada's `api.Jobs`. */
@Module({
  imports: [ArmadaModule],
  providers: [
    ReconcileLog,
    {
      provide: Reconciler,
      inject: [ARMADA, ReconcileLog, SETTINGS],
      useFactory: (armada: ArmadaClient, observer: ReconcileLog, settings: Settings) =>
        new Reconciler({
          armada: new ArmadaTerminalStates(armada.jobs),
          observer,
          unfinishedAfterMs: settings.reconcileUnfinishedAfterMs,
          eventRetentionMs: settings.eventRetentionMs,
          now: armadaNow,
        }),
    },
  ],
  exports: [Reconciler],
})
export class ReconciliationModule {}
