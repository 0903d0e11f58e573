import { createArmadaClient } from '@ajs/armada-client';
import { loggedAccess } from '@ajs/armada-credentials';
import { processMain } from '@ajs/observability';
import { Answering } from './answering.js';
import { HttpApiModule } from './http-api/http-api.module.js';

await processMain('query', ({ settings, log, metrics }) => {
  const { transport, identity, told } = loggedAccess({ settings, log, metrics });
  const armada = createArmadaClient({
    transport,
    identity,
    largestMessageBytes: settings.largestMessageBytes,
    callsPerSecond: settings.upstreamCallsPerSecond,
    // The query opens no event streams.
    counter: { unknownKind: () => undefined, malformed: () => undefined },
  });
  const answering = new Answering({ settings, env: process.env, armada, transport, log, metrics });
  return {
    http: {
      ...settings.queryHttpAddress,
      setting: 'QUERY_HTTP_ADDRESS',
      modules: [HttpApiModule.register(answering.http, { maxJobIds: settings.maxJobIds })],
    },
    service: {
      start: async () => ({
        grpcPort: await answering.start(),
        ...told,
      }),
      stop: async () => {
        await answering.stop();
        armada.close();
        identity.close();
      },
      checks: { redis: () => answering.checkRedis() },
    },
  };
});
