import { Module } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { ProvisionalJobSink } from '@ajs/job-store';
import { ARMADA, ArmadaModule, RedisErrorLog, RedisModule } from '@ajs/runtime';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { NOTE_INTEREST, PROVISIONAL_JOBS } from '../tokens.js';
import { ReportRecorder } from './report-recorder.js';
import { ReportedJobs } from './reported-jobs.js';
import { UpstreamJobResolver } from './upstream-job-resolver.js';

/** What Armada's own `api.Jobs` knows of jobs: asked once for all APIs of this process. */
@Module({
  imports: [RedisModule, JobStoreModule, InterestModule, ArmadaModule],
  providers: [
    {
      provide: ReportRecorder,
      inject: [PROVISIONAL_JOBS, NOTE_INTEREST, RedisErrorLog],
      useFactory: (sink: ProvisionalJobSink, noteInterest: NoteInterest, errors: RedisErrorLog) =>
        new ReportRecorder({ sink, noteInterest, redisFailed: errors.report }),
    },
    {
      provide: UpstreamJobResolver,
      inject: [ARMADA, ReportRecorder],
      useFactory: (armada: ArmadaClient, recorder: ReportRecorder) =>
        new UpstreamJobResolver({ armada: armada.jobs, recorder }),
    },
    {
      provide: ReportedJobs,
      inject: [ARMADA, PROVISIONAL_JOBS, RedisErrorLog],
      useFactory: (armada: ArmadaClient, sink: ProvisionalJobSink, errors: RedisErrorLog) =>
        new ReportedJobs({ armada: armada.jobs, sink, redisFailed: errors.report }),
    },
  ],
  exports: [ReportRecorder, ReportedJobs, UpstreamJobResolver],
})
export class UpstreamModule {}
