import { Module } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import { JobServiceResponse_State } from '@ajs/contracts/jobservice/jobservice';
import type { JobLister } from '@ajs/job-store';
import { QueryMetrics } from '@ajs/observability';
import { ARMADA, ArmadaModule, RedisErrorLog, RedisModule, SETTINGS } from '@ajs/runtime';
import { status } from '@grpc/grpc-js';
import { AbsenceModule } from '../absence/absence.module.js';
import type { JobReadOptions } from '../absence/job-read-options.js';
import { Access } from '../access/access.js';
import { AuthModule } from '../access/auth.module.js';
import { FailureLog } from '../failures/failure-log.js';
import { FailureLogModule } from '../failures/failure-log.module.js';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { JOB_LISTER, JOB_READ_OPTIONS, LEGACY_SERVICE, NOTE_INTEREST } from '../tokens.js';
import { ArmadaHealth } from './armada-health.js';
import { EndedPolls } from './ended-polls.js';
import { JobStatusQuery } from './job-status-query.js';
import { legacyJobService, type LegacyOptions } from './legacy-job-service.js';

/** `jobservice.JobService`, for Armada's older Airflow operator. */
@Module({
  imports: [
    RedisModule,
    ArmadaModule,
    JobStoreModule,
    AbsenceModule,
    AuthModule,
    InterestModule,
    FailureLogModule,
  ],
  providers: [
    {
      provide: JobStatusQuery,
      inject: [JOB_LISTER, JOB_READ_OPTIONS],
      useFactory: (lister: JobLister, options: JobReadOptions) => new JobStatusQuery({ ...options, lister }),
    },
    {
      provide: LEGACY_SERVICE,
      inject: [
        Access,
        JobStatusQuery,
        NOTE_INTEREST,
        SETTINGS,
        ARMADA,
        QueryMetrics,
        RedisErrorLog,
        FailureLog,
      ],
      useFactory: (
        access: Access,
        query: JobStatusQuery,
        noteInterest: NoteInterest,
        { terminalCacheJobs }: Settings,
        armada: ArmadaClient,
        metrics: QueryMetrics,
        errors: RedisErrorLog,
        failures: FailureLog,
      ) => {
        const armadaHealth = new ArmadaHealth(() => armada.health());
        return legacyJobService({
          access,
          query,
          endedPolls: new EndedPolls(terminalCacheJobs),
          noteInterest,
          armadaIsHealthy: () => armadaHealth.isHealthy(),
          answered: countAnswers(metrics),
          refused: (code) => metrics.legacyPolls.count(status[code]),
          redisFailed: errors.report,
          internalError: failures.internalError,
        });
      },
    },
  ],
  exports: [LEGACY_SERVICE],
})
export class LegacyApiModule {}

function countAnswers({ legacyPolls, callSeconds }: QueryMetrics): LegacyOptions['answered'] {
  // To look the label up for every poll would be felt.
  const duration = callSeconds.labels('legacy');
  const names = new Map(Object.entries(JobServiceResponse_State).map(([name, state]) => [state, name]));
  return (state, seconds) => {
    legacyPolls.count(names.get(state) ?? '');
    duration.observe(seconds);
  };
}
