import { Inject, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import { PermissionProbe, type ArmadaClient } from '@ajs/armada-client';
import type { ArmadaAccess } from '@ajs/armada-credentials';
import type { Settings } from '@ajs/config';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { QueryMetrics, throttledLog, type Log } from '@ajs/observability';
import { ARMADA, ARMADA_ACCESS, ArmadaModule, LOG, RedisErrorLog, RedisModule, SETTINGS } from '@ajs/runtime';
import { AuthModule } from '../access/auth.module.js';
import { UNRESTRICTED } from '../access/job-permissions.js';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { SUBMIT_JOBS, recordSubmits } from '../submitted-jobs/submit-recorder.js';
import { NOTE_INTEREST, PASS_THROUGH, PROVISIONAL_JOBS } from '../tokens.js';
import { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import { UpstreamModule } from '../upstream/upstream.module.js';
import type { ExchangeObserver } from './forwarded-call.js';
import { PassThrough } from './pass-through.js';
import { WatchPermissions } from './watch-permissions.js';

const SUBMIT_RECORDER = Symbol('SubmitRecorder');

const UNREAD_SUBMIT =
  'Jobs of a forwarded submit not recorded, since Armada may read its messages differently. If its client is newer than this service, upgrade the service';

/** Armada's own services, passed through, where PASS_THROUGH is on. */
@Module({
  imports: [RedisModule, ArmadaModule, JobStoreModule, AuthModule, InterestModule, UpstreamModule],
  providers: [
    {
      provide: SUBMIT_RECORDER,
      inject: [
        PROVISIONAL_JOBS,
        ARMADA,
        UpstreamJobResolver,
        NOTE_INTEREST,
        RedisErrorLog,
        QueryMetrics,
        LOG,
      ],
      useFactory: (
        provisionalJobs: ProvisionalJobSink,
        armada: ArmadaClient,
        resolver: UpstreamJobResolver,
        noteInterest: NoteInterest,
        errors: RedisErrorLog,
        metrics: QueryMetrics,
        log: Log,
      ) => {
        const throttled = throttledLog(log);
        return recordSubmits({
          provisionalJobs,
          // Armada let the caller submit them, and the answer goes to nobody.
          resolve: (jobIds) => resolver.resolve(jobIds, UNRESTRICTED, armada.jobs),
          noteInterest,
          redisFailed: errors.report,
          failed: (error) => {
            metrics.submitRecordingFailures.inc();
            log.debug({ err: error }, 'could not record all jobs of a forwarded submit');
          },
          notRead: (problem) => {
            metrics.submitRecordingFailures.inc();
            // Whatever the problem: its text depends on what callers send.
            throttled('warn', { problem }, UNREAD_SUBMIT, UNREAD_SUBMIT);
          },
        });
      },
    },
    {
      provide: PASS_THROUGH,
      inject: [ARMADA_ACCESS, PermissionProbe, SUBMIT_RECORDER, SETTINGS, QueryMetrics],
      useFactory: (
        { transport }: ArmadaAccess,
        permissions: PermissionProbe,
        submitRecorder: ExchangeObserver,
        settings: Settings,
        metrics: QueryMetrics,
      ) =>
        settings.passThrough
          ? new PassThrough({
              transport,
              services: settings.forwardedServices,
              maxRequestBytes: settings.maxForwardedRequestBytes,
              maxResponseBytes: settings.maxMessageBytes,
              maxWatches: settings.maxForwardedWatches,
              maxCalls: settings.maxForwardedCalls,
              watchPermissions: new WatchPermissions(permissions, settings.authVerdictTtlMs),
              observers: new Map([[SUBMIT_JOBS, submitRecorder]]),
              metrics,
            })
          : undefined,
    },
  ],
  exports: [PASS_THROUGH],
})
export class PassThroughModule implements BeforeApplicationShutdown {
  constructor(@Inject(PASS_THROUGH) private readonly passThrough: PassThrough | undefined) {}

  beforeApplicationShutdown(): void {
    this.passThrough?.close();
  }
}
