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
import { HealthModule } from '../health/health.module.js';
import { BoundedHttpAdapter, type HttpTls } from '../http/bounded-http.js';
import { rejectedConnections } from '../http/rejected-connections.js';
import { NestLog } from './nest-log.js';
import { ProcessModule, type ProcessContext } from './process.module.js';
import { Shutdown } from './shutdown.js';

export interface AppOptions {
  /** The root of the application's modules. Its controllers get bodies unparsed. */
  readonly module: Type | DynamicModule;
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** The setting that holds host and port. */
    readonly setting: string;
    /** Connections beyond this number are closed as they come. */
    readonly maxConnections: number;
    /** `undefined`: plaintext. */
    readonly tls?: HttpTls | undefined;
  };
  /** Opens what else the application serves, once HTTP listens. Resolves to fields for the log line `started`. */
  readonly serve: (app: INestApplicationContext) => Promise<Record<string, unknown>>;
}

/** Nest's own list has twelve, among them those of debuggers and profilers. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT'];

/** Imports every other module, so that Nest stops it first. */
@Module({})
class RootModule implements OnModuleDestroy {
  constructor(@Inject(Shutdown) private readonly shutdown: Shutdown) {}

  static of(context: ProcessContext, module: Type | DynamicModule): DynamicModule {
    return { module: RootModule, imports: [ProcessModule.of(context), HealthModule, module] };
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
export async function runApp(
  context: ProcessContext,
  { module, http, serve }: AppOptions,
): Promise<NestExpressApplication> {
  const { log, metrics } = context;
  const { maxConnections, tls } = http;
  const onRejected = rejectedConnections('http', maxConnections, log, metrics);
  const adapter = new BoundedHttpAdapter({ maxConnections, tls, onRejected });
  const app = await NestFactory.create<NestExpressApplication>(RootModule.of(context, module), adapter, {
    // Held back until there is an application: Nest would log an error of a module that our caller reports.
    bufferLogs: true,
    autoFlushLogs: false,
    bodyParser: false,
    abortOnError: false,
  });
  app.useLogger(new NestLog(log));
  app.flushLogs();
  app.disable('x-powered-by');
  app.enableShutdownHooks(STOP_SIGNALS, { useProcessExit: true });
  try {
    await app.init();
    await app.listen(http.port, http.host).catch((error: unknown) => {
      throw new Error(
        `cannot listen for HTTP at ${http.host}:${http.port} (${http.setting}): ${(error as Error).message}`,
        { cause: error },
      );
    });
    log.info({ http: new URL(await app.getUrl()).host }, 'health and metrics are served');
    log.info(await serve(app), 'started');
  } catch (error) {
    // The modules have begun their work, which is handed over.
    await app.close();
    throw error;
  }
  return app;
}
