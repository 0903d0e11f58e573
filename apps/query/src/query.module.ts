import { Module, type DynamicModule } from '@nestjs/common';
import { GrpcModule } from './grpc/grpc.module.js';
import { HttpApiModule } from './http-api/http-api.module.js';
import { ServerTlsModule } from './server-tls/server-tls.module.js';
import type { ServerTls } from './server-tls/server-tls.js';

/** Answers polls from Redis, by gRPC and HTTP. */
@Module({ imports: [GrpcModule, HttpApiModule] })
export class QueryModule {
  static of(tls: ServerTls | undefined): DynamicModule {
    return { module: QueryModule, imports: [ServerTlsModule.of(tls)] };
  }
}
