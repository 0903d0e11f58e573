import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Global, Module, type DynamicModule, type Type } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Settings } from '@ajs/config';
import { Metrics, type Log } from '@ajs/observability';
import { HttpErrorFilter } from '../http/http-errors.js';
import { Readiness } from '../health/readiness.js';
import { Shutdown } from './shutdown.js';
import { LOG, REPLICA_ID, SETTINGS } from './tokens.js';

/** What exists before the modules do, so that an error in the settings is reported, and logged, without them. */
export interface ProcessContext {
  readonly settings: Settings;
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * For every module of a process: {@link SETTINGS}, {@link LOG}, {@link REPLICA_ID}, {@link Metrics}, also by their own class, and
 * {@link Readiness}; and one form of HTTP errors. Nest stops global modules after all others.
 */
@Global()
@Module({})
export class ProcessModule {
  static of({ settings, log, metrics }: ProcessContext): DynamicModule {
    return {
      module: ProcessModule,
      providers: [
        { provide: SETTINGS, useValue: settings },
        { provide: LOG, useValue: log },
        { provide: Metrics, useValue: metrics },
        { provide: metrics.constructor as Type<Metrics>, useValue: metrics },
        { provide: REPLICA_ID, useFactory: () => `${hostname()}-${randomUUID().slice(0, 8)}` },
        { provide: APP_FILTER, useClass: HttpErrorFilter },
        Readiness,
        Shutdown,
      ],
      exports: [SETTINGS, LOG, REPLICA_ID, Metrics, metrics.constructor, Readiness, Shutdown],
    };
  }
}
