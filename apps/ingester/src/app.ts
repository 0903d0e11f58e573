import type { ArmadaAccess } from '@ajs/armada-credentials';
import { IngesterMetrics } from '@ajs/observability';
import { ARMADA_ACCESS, REPLICA_ID, RedisConnections, bootstrap, type ProcessOutput } from '@ajs/runtime';
import { IngesterModule } from './ingester.module.js';

/** Health and metrics have few callers. */
const MAX_CONNECTIONS = 1_000;

export function start(output: ProcessOutput): Promise<void> {
  return bootstrap({
    app: 'ingester',
    output,
    makeMetrics: () => new IngesterMetrics(),
    optionsOf: ({ settings }) => ({
      module: IngesterModule,
      http: {
        ...settings.ingesterHttpAddress,
        setting: 'INGESTER_HTTP_ADDRESS',
        maxConnections: MAX_CONNECTIONS,
      },
      serve: async (app) => {
        await app.get(RedisConnections).firstContact();
        return { replicaId: app.get<string>(REPLICA_ID), ...app.get<ArmadaAccess>(ARMADA_ACCESS).summary };
      },
    }),
  });
}
