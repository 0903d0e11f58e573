import {
  Global,
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Metrics, type Log } from '@ajs/observability';
import { BoundedHttpAdapter } from '../http/bounded-http.js';
import { HttpErrorFilter } from '../http/http-errors.js';
import { listenForHttp, type HttpAddress } from '../http/listen-for-http.js';
import { pipelinedConnections, rejectedConnections } from '../http/rejected-connections.js';
import { NestLog } from '../process/nest-log.js';
import { LOG } from '../process/tokens.js';
import { HealthModule } from './health.module.js';
import { Readiness } from './readiness.js';

/** Probes and scrapers are few. */
const MAX_CONNECTIONS = 1_000;

/**
 * Health and metrics on a port of their own, in plaintext, which callers of the API cannot fill. It stays open until the process has
 * finished its work.
 */
@Injectable()
export class HealthPort implements OnApplicationShutdown {
  private app: NestExpressApplication | undefined;

  constructor(
    @Inject(LOG) private readonly log: Log,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  /** Resolves to the host and port that it listens at; rejects where it cannot have the address. */
  async listen(address: HttpAddress): Promise<string> {
    const onRejected = rejectedConnections('health', MAX_CONNECTIONS, this.log, this.metrics);
    const onPipelined = pipelinedConnections('health', this.log, this.metrics);
    this.app = await NestFactory.create<NestExpressApplication>(
      this.root(),
      new BoundedHttpAdapter({ maxConnections: MAX_CONNECTIONS, onRejected, onPipelined }),
      { logger: new NestLog(this.log), bodyParser: false, abortOnError: false },
    );
    return listenForHttp(this.app, address);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.app?.close();
  }

  /** An application of Nest has one port, so this is another one, over the same readiness and metrics. */
  private root(): DynamicModule {
    const providers = [
      { provide: LOG, useValue: this.log },
      { provide: Metrics, useValue: this.metrics },
      { provide: Readiness, useValue: this.readiness },
    ];
    return {
      module: HealthPortRoot,
      global: true,
      imports: [HealthModule],
      providers: [...providers, { provide: APP_FILTER, useClass: HttpErrorFilter }],
      exports: providers.map(({ provide }) => provide),
    };
  }
}

@Module({})
class HealthPortRoot {}

/** In place of {@link HealthModule}, where health has a port of its own. Global: Nest stops it after all others. */
@Global()
@Module({ providers: [HealthPort] })
export class HealthPortModule {}
