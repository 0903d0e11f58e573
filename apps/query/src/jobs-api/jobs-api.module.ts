import { Module } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import type { JobDetailsLister, JobLister, ProvisionalJobSink } from '@ajs/job-store';
import { QueryMetrics } from '@ajs/observability';
import { LRUCache } from 'lru-cache';
import { ARMADA, ArmadaModule, RedisErrorLog, RedisModule, SETTINGS } from '@ajs/runtime';
import { status } from '@grpc/grpc-js';
import { Access } from '../access/access.js';
import { AuthModule } from '../access/auth.module.js';
import { FailureLog } from '../failures/failure-log.js';
import { FailureLogModule } from '../failures/failure-log.module.js';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { Admission } from '../load/admission.js';
import { AdmissionModule } from '../load/admission.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOBS_CALLS, JOB_LISTER, NOTE_INTEREST, PROVISIONAL_JOBS } from '../tokens.js';
import { armadaFor } from '../upstream/armada-for.js';
import { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import { ReportRecorder } from '../upstream/report-recorder.js';
import { UpstreamModule } from '../upstream/upstream.module.js';
import { CachedJobsApi } from './cached-jobs-api.js';
import type { JobsServiceOptions } from './jobs-service.js';

/** `api.Jobs`, for gRPC and HTTP. */
@Module({
  imports: [
    RedisModule,
    ArmadaModule,
    JobStoreModule,
    AdmissionModule,
    AuthModule,
    InterestModule,
    UpstreamModule,
    FailureLogModule,
  ],
  providers: [
    {
      provide: CachedJobsApi,
      inject: [
        Access,
        JOB_LISTER,
        PROVISIONAL_JOBS,
        ARMADA,
        UpstreamJobResolver,
        ReportRecorder,
        NOTE_INTEREST,
        Admission,
        SETTINGS,
        RedisErrorLog,
        FailureLog,
      ],
      useFactory: (
        access: Access,
        lister: JobLister & JobDetailsLister,
        enrichment: ProvisionalJobSink,
        armada: ArmadaClient,
        resolver: UpstreamJobResolver,
        recorder: ReportRecorder,
        noteInterest: NoteInterest,
        admission: Admission,
        settings: Settings,
        errors: RedisErrorLog,
        failures: FailureLog,
      ) =>
        new CachedJobsApi({
          access,
          lister,
          enrichment,
          armadaFor: armadaFor(armada.jobs, (caller, work) => admission.waiting(caller, work)),
          resolver,
          recorder,
          noteInterest,
          terminalJobs: new LRUCache({ max: settings.terminalCacheJobs }),
          redisFailed: errors.report,
          unreadableRecord: failures.unreadableRecord,
          maxJobIds: settings.maxJobIds,
          redisRetryTimeoutMs: settings.redisRetryTimeoutMs,
          pause: (caller, ms) => admission.pause(caller, ms),
          provisionalGraceMs: settings.provisionalJobGraceMs,
        }),
    },
    {
      provide: JOBS_CALLS,
      inject: [CachedJobsApi, Admission, Access, SETTINGS, QueryMetrics, FailureLog],
      useFactory: (
        jobs: CachedJobsApi,
        admission: Admission,
        access: Access,
        { maxJobIds }: Settings,
        metrics: QueryMetrics,
        failures: FailureLog,
      ): JobsServiceOptions => ({
        jobs,
        admission,
        access,
        maxJobIds,
        answered: (method, code, seconds) => {
          metrics.jobsApiCalls.inc({ method, code: status[code] });
          metrics.callSeconds.observe({ api: 'jobs' }, seconds);
        },
        internalError: failures.internalError,
      }),
    },
  ],
  exports: [JOBS_CALLS],
})
export class JobsApiModule {}
