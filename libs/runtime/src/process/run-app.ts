import 'reflect-metadata';
import {
  Inject,
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type OnModuleDestroy,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { HealthPort, HealthPortModule } from '../health/health-port.js';
import { HealthModule } from '../health/health.module.js';
import { BoundedHttpAdapter, type HttpTls } from '../http/bounded-http.js';
import { listenForHttp, type HttpAddress } from '../http/listen-for-http.js';
import { pipelinedConnections, rejectedConnections } from '../http/rejected-connections.js';
import { NestLog } from './nest-log.js';
import { ProcessModule, type ProcessContext } from './process.module.js';
import { Shutdown } from './shutdown.js';

export interface AppOptions {
  /** The root of the application's modules. Its controllers get bodies unparsed. */
  readonly module: Type | DynamicModule;
  readonly http: HttpAddress & {
    /** Connections beyond this number are closed as they come. */
    readonly maxConnections: number;
    /** `undefined`: plaintext. */
    readonly tls?: HttpTls | undefined;
  };
  /** A port of their own for health and metrics, without TLS; `undefined`: HTTP serves them. */
  readonly health?: HttpAddress;
  /** Opens what else the application serves, once HTTP listens. Resolves to fields for the log line `started`. */
  readonly serve: (app: INestApplicationContext) => Promise<Record<string, unknown>>;
}

/** Nest's own list has twelve, among them those of debuggers and profilers. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT'];

/** Imports every other module, so that Nest stops it first. */
@Module({})
class RootModule implements OnModuleDestroy {
  constructor(@Inject(Shutdown) private readonly shutdown: Shutdown) {}

  static of(context: ProcessContext, { module, health }: AppOptions): DynamicModule {
    const healthModule = health === undefined ? HealthModule : HealthPortModule;
    return { module: RootModule, imports: [ProcessModule.of(context), healthModule, module] };
  }

  onModuleDestroy(): void {
    this.shutdown.begin();
  }
}

/**
 * Runs an application until SIGTERM or SIGINT, with HTTP for its controllers, health and metrics. Ends the process with 0 after a
 * clean stop.
 *
 * A stop has three phases, and in each of them a module comes before those that it imports:
 * 1. `onModuleDestroy`: nothing new is taken. The process says that it is not ready before anything else stops.
 * 2. `beforeApplicationShutdown`: work in progress is finished or handed over.
 * 3. `onApplicationShutdown`, after the HTTP port: what is left is written, and connections are closed.
 */
export async function runApp(context: ProcessContext, options: AppOptions): Promise<NestExpressApplication> {
  const { log, metrics } = context;
  const { http, health, serve } = options;
  const { maxConnections, tls } = http;
  const onRejected = rejectedConnections('http', maxConnections, log, metrics);
  const onPipelined = pipelinedConnections('http', log, metrics);
  const adapter = new BoundedHttpAdapter({ maxConnections, tls, onRejected, onPipelined });
  const app = await NestFactory.create<NestExpressApplication>(RootModule.of(context, options), adapter, {
    // Held back until there is an application: Nest would log an error of a module that our caller reports.
    bufferLogs: true,
    autoFlushLogs: false,
    bodyParser: false,
    abortOnError: false,
  });
  app.useLogger(new NestLog(log));
  app.flushLogs();
  app.enableShutdownHooks(STOP_SIGNALS, { useProcessExit: true });
  try {
    await app.init();
    const addresses = {
      ...(health !== undefined && { health: await app.get(HealthPort).listen(health) }),
      http: await listenForHttp(app, http),
    };
    log.info(addresses, 'health and metrics are served');
    log.info(await serve(app), 'started');
  } catch (error) {
    // The modules have begun their work, which is handed over.
    await app.close();
    throw error;
  }
  return app;
}
