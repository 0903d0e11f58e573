import { Inject, Module, type BeforeApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import type { JobServiceServer } from '@ajs/contracts/jobservice/jobservice';
import { Metrics, type Log } from '@ajs/observability';
import { LOG, SETTINGS, rejectedConnections } from '@ajs/runtime';
import { JobsApiModule } from '../jobs-api/jobs-api.module.js';
import { jobsService, type JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { LegacyApiModule } from '../legacy-api/legacy-api.module.js';
import { PassThroughModule } from '../pass-through/pass-through.module.js';
import type { PassThrough } from '../pass-through/pass-through.js';
import type { ServerTls } from '../server-tls/server-tls.js';
import { JOBS_CALLS, LEGACY_SERVICE, PASS_THROUGH, SERVER_TLS } from '../tokens.js';
import { GrpcServer } from './grpc-server.js';

/** The gRPC port. It is opened by who starts the process, as Nest's own HTTP port is, and closed here. */
@Module({
  imports: [LegacyApiModule, JobsApiModule, PassThroughModule],
  providers: [
    {
      provide: GrpcServer,
      inject: [LEGACY_SERVICE, JOBS_CALLS, PASS_THROUGH, SERVER_TLS, SETTINGS, LOG, Metrics],
      useFactory: (
        legacy: JobServiceServer,
        jobsCalls: JobsServiceOptions,
        passThrough: PassThrough | undefined,
        tls: ServerTls | undefined,
        { queryMaxConnections: maxConnections, queryMaxConnectionAgeMs: maxAgeMs }: Settings,
        log: Log,
        metrics: Metrics,
      ) =>
        new GrpcServer(
          { legacy, jobs: jobsService(jobsCalls), passThrough },
          {
            tls,
            maxConnections,
            maxAgeMs,
            onRejected: rejectedConnections('grpc', maxConnections, log, metrics),
          },
        ),
    },
  ],
  exports: [GrpcServer],
})
export class GrpcModule implements OnModuleDestroy, BeforeApplicationShutdown {
  private stopped: Promise<void> | undefined;

  constructor(@Inject(GrpcServer) private readonly server: GrpcServer) {}

  /** From now on no call is taken. */
  onModuleDestroy(): void {
    this.stopped = this.server.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stopped;
  }
}
