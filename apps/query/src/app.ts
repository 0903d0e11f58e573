import type { ArmadaAccess } from '@ajs/armada-credentials';
import { checkAuthSettings } from '@ajs/auth';
import { QueryMetrics } from '@ajs/observability';
import {
  ARMADA_ACCESS,
  RedisConnections,
  bootstrap,
  connectionLimitProblem,
  type ProcessOutput,
} from '@ajs/runtime';
import { GrpcServer } from './grpc/grpc-server.js';
import { QueryModule } from './query.module.js';
import { ServerTls } from './server-tls/server-tls.js';

export function start(output: ProcessOutput): Promise<void> {
  return bootstrap({
    app: 'query',
    output,
    makeMetrics: () => new QueryMetrics(),
    checkSettings: (settings) => {
      ServerTls.read(settings);
      checkAuthSettings(settings, process.env);
    },
    optionsOf: ({ settings, log }) => {
      // For gRPC and for HTTP.
      const problem = connectionLimitProblem(2 * settings.queryMaxConnections, 'QUERY_MAX_CONNECTIONS');
      if (problem !== undefined) log.warn(problem);
      const tls = ServerTls.read(settings);
      const health = settings.queryHealthAddress;
      return {
        module: QueryModule.of(tls),
        http: {
          ...settings.queryHttpAddress,
          setting: 'QUERY_HTTP_ADDRESS',
          maxConnections: settings.queryMaxConnections,
          tls,
        },
        ...(health !== null && { health: { ...health, setting: 'QUERY_HEALTH_ADDRESS' } }),
        serve: async (app) => {
          // Else the first callers would hear that Redis is unavailable.
          await app.get(RedisConnections).firstContact();
          const grpcPort = await app.get(GrpcServer).listen(settings.queryGrpcAddress);
          return { grpcPort, ...app.get<ArmadaAccess>(ARMADA_ACCESS).summary };
        },
      };
    },
  });
}
