import { bootstrap } from '@ajs/runtime';
import { createArmadaClient } from '@ajs/armada-client';
import { loggedAccess } from '@ajs/armada-credentials';
import { Answering } from './answering.js';
import { HttpApiModule } from './http-api/http-api.module.js';
import { ServerTls } from './server-tls/server-tls.js';

await bootstrap('query', ({ settings, log, metrics }) => {
  const tls = ServerTls.read(settings);
  const { transport, identity, told } = loggedAccess({ settings, log, metrics });
  const armada = createArmadaClient({
    transport,
    identity,
    largestMessageBytes: settings.maxMessageBytes,
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
