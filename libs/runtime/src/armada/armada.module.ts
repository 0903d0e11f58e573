import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { loggedAccess, type ArmadaAccess } from '@ajs/armada-credentials';
import type { Settings } from '@ajs/config';
import { Metrics, type Log } from '@ajs/observability';
import { LOG, SETTINGS } from '../process/tokens.js';

/** The token of {@link ArmadaAccess}: how Armada is reached, and who this process is there. */
export const ARMADA_ACCESS = Symbol('ArmadaAccess');
/** The token of {@link ArmadaClient}: calls to Armada as this process. */
export const ARMADA = Symbol('ArmadaClient');

/** {@link ARMADA_ACCESS} and {@link ARMADA}. What calls Armada imports it, and so stops before its connections close. */
@Module({
  providers: [
    {
      provide: ARMADA_ACCESS,
      inject: [SETTINGS, LOG, Metrics],
      useFactory: (settings: Settings, log: Log, metrics: Metrics) =>
        loggedAccess({ settings, log, metrics }),
    },
    {
      provide: ARMADA,
      inject: [ARMADA_ACCESS, SETTINGS],
      useFactory: ({ transport, identity }: ArmadaAccess, settings: Settings) =>
        createArmadaClient({
          transport,
          identity,
          maxMessageBytes: settings.maxMessageBytes,
          callsPerSecond: settings.upstreamCallsPerSecond,
        }),
    },
  ],
  exports: [ARMADA_ACCESS, ARMADA],
})
export class ArmadaModule implements OnApplicationShutdown {
  constructor(
    @Inject(ARMADA) private readonly armada: ArmadaClient,
    @Inject(ARMADA_ACCESS) private readonly access: ArmadaAccess,
  ) {}

  onApplicationShutdown(): void {
    this.armada.close();
    this.access.identity.close();
  }
}
