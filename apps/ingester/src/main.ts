import { bootstrap } from '@ajs/runtime';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createArmadaClient } from '@ajs/armada-client';
import { loggedAccess } from '@ajs/armada-credentials';
import { Following } from './following.js';

/** Health and metrics have few callers. */
const MOST_CONNECTIONS = 1_000;

await bootstrap('ingester', ({ settings, log, metrics }) => {
  const { transport, identity, told } = loggedAccess({ settings, log, metrics });
  const armada = createArmadaClient({
    transport,
    identity,
    largestMessageBytes: settings.maxMessageBytes,
    callsPerSecond: settings.upstreamCallsPerSecond,
    counter: {
      unknownKind: () => metrics.skippedMessages.inc({ kind: 'unknown' }),
      malformed: () => metrics.skippedMessages.inc({ kind: 'malformed' }),
    },
  });
  const replicaId = `${hostname()}-${randomUUID().slice(0, 8)}`;
  const following = new Following({ settings, armada, replicaId, log, metrics });
  return {
    http: {
      ...settings.ingesterHttpAddress,
      setting: 'INGESTER_HTTP_ADDRESS',
      mostConnections: MOST_CONNECTIONS,
    },
    service: {
      start: async () => {
        await following.start();
        return { replicaId, ...told };
      },
      stop: async () => {
        await following.stop();
        armada.close();
        identity.close();
      },
      checks: {
        redis: () => following.checkRedis(),
        redisMemory: () => following.checkRedisMemory(),
        workQueue: () => following.checkWorkQueue(),
      },
    },
  };
});
