import 'reflect-metadata';
import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { BoundedHttp, type ServedTls } from './bounded-http.js';
import { HealthModule } from './health.module.js';
import { NestLog, type Log, type Metrics } from '@ajs/observability';
import { Readiness, type Check } from './readiness.js';
import { rejectedConnections } from './rejected-connections.js';

/** What an application does, started and stopped once. */
export interface Service {
  /** Resolves, to what the log should tell of it, when it does its work. */
  start(): Promise<Record<string, unknown>>;
  /** Finishes what runs, hands over the rest, and lets go of everything. */
  stop(): Promise<void>;
  /** The parts it needs to do its work, by name. */
  readonly checks: Readonly<Record<string, Check>>;
}

export interface AppOptions {
  readonly service: Service;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly setting: string;
    /** More are closed as they come. */
    readonly mostConnections: number;
    /** `undefined`: plaintext. */
    readonly tls?: ServedTls | undefined;
    /** What is served beside health and metrics. Bodies reach it unparsed. */
    readonly modules?: readonly DynamicModule[];
  };
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What has not stopped by then is left behind, and the process ends with 1. Milliseconds. */
const STOP_WITHIN_MS = 4_500;

const OPTIONS = Symbol('AppOptions');

@Module({})
class AppModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(OPTIONS) private readonly options: AppOptions,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  static with(options: AppOptions): DynamicModule {
    const readiness = new Readiness(options.service.checks);
    return {
      module: AppModule,
      imports: [HealthModule.register(readiness, options.metrics), ...(options.http.modules ?? [])],
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: Readiness, useValue: readiness },
      ],
    };
  }

  async beforeApplicationShutdown(signal?: string): Promise<void> {
    const { log, service } = this.options;
    log.info({ signal }, 'stopping');
    this.readiness.stop();
    setTimeout(() => {
      log.error(`did not stop within ${STOP_WITHIN_MS} ms; what is left is given up`);
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    await service.stop();
  }

  onApplicationShutdown(): void {
    this.options.log.info('stopped');
  }
}

/**
 * Runs an application until SIGTERM or SIGINT: its service, and HTTP for health, metrics and its own modules beside it. Ends
 * the process with 0 after a clean stop.
 */
export async function runApp(options: AppOptions): Promise<void> {
  const { http, log, metrics, service } = options;
  const refused = rejectedConnections('http', http.mostConnections, log, metrics);
  const adapter = new BoundedHttp({ mostConnections: http.mostConnections, tls: http.tls, refused });
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(options), adapter, {
    logger: new NestLog(log),
    bodyParser: false,
    abortOnError: false,
  });
  app.disable('x-powered-by');
  app.enableShutdownHooks([], { useProcessExit: true });
  try {
    await app.listen(http.port, http.host);
  } catch (error) {
    throw new Error(
      `cannot listen for HTTP at ${http.host}:${http.port} (${http.setting}): ${(error as Error).message}`,
      { cause: error },
    );
  }
  log.info({ http: new URL(await app.getUrl()).host }, 'health and metrics are served');
  log.info(await service.start(), 'started');
}
