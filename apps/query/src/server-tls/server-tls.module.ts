import {
  Global,
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Log } from '@ajs/observability';
import { LOG } from '@ajs/runtime';
import { SERVER_TLS } from '../tokens.js';
import type { ServerTls } from './server-tls.js';

/** The TLS of both ports; read before there are modules, since Nest is given the HTTP server. */
@Global()
@Module({})
export class ServerTlsModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(SERVER_TLS) private readonly tls: ServerTls | undefined,
    @Inject(LOG) private readonly log: Log,
  ) {}

  static of(tls: ServerTls | undefined): DynamicModule {
    return {
      module: ServerTlsModule,
      providers: [{ provide: SERVER_TLS, useValue: tls }],
      exports: [SERVER_TLS],
    };
  }

  onApplicationBootstrap(): void {
    this.tls?.watch(this.log);
  }

  onModuleDestroy(): void {
    this.tls?.stop();
  }
}
