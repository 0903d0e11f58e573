import { Inject, Module, type BeforeApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import { Metrics, type Log } from '@ajs/observability';
import { LOG, SETTINGS, rejectedConnections } from '@ajs/runtime';
import { Access } from '../access/access.js';
import { AuthModule } from '../access/auth.module.js';
import { JobsApiModule } from '../jobs-api/jobs-api.module.js';
import { jobsService, type JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { LegacyApiModule } from '../legacy-api/legacy-api.module.js';
import type { LegacyService } from '../legacy-api/legacy-job-service.js';
import { Admission } from '../load/admission.js';
import { AdmissionModule } from '../load/admission.module.js';
import { MessageBudget } from '../load/message-budget.js';
import { PassThroughModule } from '../pass-through/pass-through.module.js';
import type { PassThrough } from '../pass-through/pass-through.js';
import type { ServerTls } from '../server-tls/server-tls.js';
import { JOBS_CALLS, LEGACY_SERVICE, PASS_THROUGH, SERVER_TLS, V2_CALLS } from '../tokens.js';
import { V2Module } from '../v2/v2.module.js';
import { v2Streams } from '../v2/v2-streams.js';
import { v2Service, type V2Calls } from '../v2/v2-service.js';
import { GrpcServer } from './grpc-server.js';

/** The gRPC port. It is opened by who starts the process, as Nest's own HTTP port is, and closed here. */
@Module({
  imports: [LegacyApiModule, JobsApiModule, V2Module, PassThroughModule, AuthModule, AdmissionModule],
  providers: [
    {
      provide: GrpcServer,
      inject: [
        LEGACY_SERVICE,
        JOBS_CALLS,
        V2_CALLS,
        PASS_THROUGH,
        Access,
        Admission,
        MessageBudget,
        SERVER_TLS,
        SETTINGS,
        LOG,
        Metrics,
      ],
      useFactory: (
        legacy: LegacyService,
        jobsCalls: JobsServiceOptions,
        v2Calls: V2Calls,
        passThrough: PassThrough | undefined,
        access: Access,
        admission: Admission,
        budget: MessageBudget,
        tls: ServerTls | undefined,
        { queryMaxConnections: maxConnections, queryMaxConnectionAgeMs: maxAgeMs }: Settings,
        log: Log,
        metrics: Metrics,
      ) =>
        new GrpcServer(
          {
            methods: [
              legacy.getJobStatus,
              legacy.health,
              ...Object.values(jobsService(jobsCalls)),
              ...Object.values(v2Service(v2Calls)),
            ],
            streams: v2Streams(v2Calls),
            passThrough,
          },
          {
            access,
            admission,
            budget,
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
