import {
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { loggedAccess, type ArmadaAccess, type LoggedAccess } from '@ajs/armada-credentials';
import type { Settings } from '@ajs/config';
import { Metrics, type Log } from '@ajs/observability';
import { Readiness } from '../health/readiness.js';
import { LOG, SETTINGS } from '../process/tokens.js';
import { ArmadaCalls } from './armada-calls.js';
import { ArmadaMonitor } from './armada-monitor.js';

/** The token of {@link ArmadaAccess}: how Armada is reached, and who this process is there. */
export const ARMADA_ACCESS = Symbol('ArmadaAccess');
/** The token of {@link ArmadaClient}: calls to Armada as this process. */
export const ARMADA = Symbol('ArmadaClient');

/**
 * {@link ARMADA_ACCESS}, {@link ARMADA}, {@link ArmadaCalls} and {@link ArmadaMonitor}. What calls Armada imports it, and so stops before
 * its connections close.
 */
@Module({
  providers: [
    {
      provide: ARMADA_ACCESS,
      inject: [SETTINGS, LOG, Metrics],
      useFactory: (settings: Settings, log: Log, metrics: Metrics) =>
        loggedAccess({ settings, log, metrics }),
    },
    {
      provide: ArmadaCalls,
      inject: [ARMADA_ACCESS, LOG, Metrics],
      useFactory: ({ summary }: ArmadaAccess, log: Log, metrics: Metrics) =>
        new ArmadaCalls(log, metrics, summary.armadaAuth),
    },
    {
      provide: ARMADA,
      inject: [ARMADA_ACCESS, SETTINGS, ArmadaCalls],
      useFactory: ({ transport, identity }: ArmadaAccess, settings: Settings, calls: ArmadaCalls) =>
        createArmadaClient({
          transport,
          identity,
          maxMessageBytes: settings.maxMessageBytes,
          callsPerSecond: settings.upstreamCallsPerSecond,
          observer: calls.own,
        }),
    },
    {
      provide: ArmadaMonitor,
      inject: [ARMADA, ArmadaCalls, LOG],
      useFactory: (armada: ArmadaClient, calls: ArmadaCalls, log: Log) => {
        const monitor = new ArmadaMonitor({ health: () => armada.health(), log });
        calls.onUnreachable = () => monitor.callFailed();
        return monitor;
      },
    },
  ],
  exports: [ARMADA_ACCESS, ARMADA, ArmadaCalls, ArmadaMonitor],
})
export class ArmadaModule
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  constructor(
    @Inject(ARMADA) private readonly armada: ArmadaClient,
    @Inject(ARMADA_ACCESS) private readonly access: LoggedAccess,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(ArmadaMonitor) private readonly monitor: ArmadaMonitor,
  ) {}

  onModuleInit(): void {
    // Trouble with Armada does not make a process unready: what is known is served, and restarting it heals nothing.
    this.readiness.addLoop('armadaCredential', () => this.access.renewal.standstill, 'dispensable');
  }

  onApplicationBootstrap(): void {
    this.monitor.start();
  }

  onModuleDestroy(): void {
    this.monitor.stop();
  }

  onApplicationShutdown(): void {
    this.armada.close();
    this.access.identity.close();
  }
}
