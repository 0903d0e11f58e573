import { createArmadaClient } from '@ajs/armada-client';
import { loggedAccess } from '@ajs/armada-credentials';
import { processMain } from '@ajs/observability';
import { Answering } from './answering.js';
import { HttpApiModule } from './http-api/http-api.module.js';
import { ServingTls } from './serving-tls/serving-tls.js';

await processMain('query', ({ settings, log, metrics }) => {
  const tls = ServingTls.read(settings);
  const { transport, identity, told } = loggedAccess({ settings, log, metrics });
  const armada = createArmadaClient({
    transport,
    identity,
    largestMessageBytes: settings.largestMessageBytes,
    callsPerSecond: settings.upstreamCallsPerSecond,
    // The query opens no event streams.
    counter: { unknownKind: () => undefined, malformed: () => undefined },
  });
  const answering = new Answering({ settings, env: process.env, armada, transport, tls, log, metrics });
  return {
    http: {
      ...settings.queryHttpAddress,
      setting: 'QUERY_HTTP_ADDRESS',
      mostConnections: settings.queryMaxConnections,
      tls,
      modules: [HttpApiModule.register(answering.http, { maxJobIds: settings.maxJobIds })],
    },
    service: {
      start: async () => {
        tls?.watch(log);
        return { grpcPort: await answering.start(), ...told };
      },
      stop: async () => {
        tls?.stop();
        await answering.stop();
        armada.close();
        identity.close();
      },
      checks: { redis: () => answering.checkRedis() },
    },
  };
});
