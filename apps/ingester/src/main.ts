import type { ArmadaAccess } from '@ajs/armada-credentials';
import { IngesterMetrics } from '@ajs/observability';
import { ARMADA_ACCESS, REPLICA_ID, RedisConnections, bootstrap } from '@ajs/runtime';
import { IngesterModule } from './ingester.module.js';

/** Health and metrics have few callers. */
const MAX_CONNECTIONS = 1_000;

await bootstrap(
  'ingester',
  () => new IngesterMetrics(),
  ({ settings }) => ({
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
);
