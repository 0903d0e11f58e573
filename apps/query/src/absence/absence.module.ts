import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import { RedisErrorLog, RedisModule, SETTINGS } from '@ajs/runtime';
import { InterestRecorder, ReadRequestSender } from '@ajs/subscriptions';
import { FailureLog } from '../failures/failure-log.js';
import { FailureLogModule } from '../failures/failure-log.module.js';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { Admission } from '../load/admission.js';
import { AdmissionModule } from '../load/admission.module.js';
import { JOB_READ_OPTIONS, NOTE_INTEREST } from '../tokens.js';
import { ReportRecorder } from '../upstream/report-recorder.js';
import { ReportedJobs } from '../upstream/reported-jobs.js';
import { UpstreamModule } from '../upstream/upstream.module.js';
import type { JobReadOptions } from './job-read-options.js';

/** What the APIs share that say of a job that it does not exist. */
@Module({
  imports: [RedisModule, AdmissionModule, InterestModule, UpstreamModule, FailureLogModule],
  providers: [
    {
      provide: JOB_READ_OPTIONS,
      inject: [
        NOTE_INTEREST,
        InterestRecorder,
        ReadRequestSender,
        ReportedJobs,
        ReportRecorder,
        Admission,
        SETTINGS,
        RedisErrorLog,
        FailureLog,
      ],
      useFactory: (
        noteInterest: NoteInterest,
        interest: InterestRecorder,
        readRequests: ReadRequestSender,
        reportedJobs: ReportedJobs,
        recorder: ReportRecorder,
        admission: Admission,
        settings: Settings,
        errors: RedisErrorLog,
        failures: FailureLog,
      ): JobReadOptions => ({
        noteInterest,
        refusalOf: (tag, { key }) => interest.refusal(tag, key),
        requestRead: (key) => void readRequests.send(key).catch(errors.report),
        reportedJobs,
        recorder,
        unreadableRecord: failures.unreadableRecord,
        waitMs: settings.firstPollWaitMs,
        notFoundGraceMs: settings.notFoundGraceMs,
        provisionalGraceMs: settings.provisionalJobGraceMs,
        pause: (caller, ms) => admission.pause(caller, ms),
        waiting: (caller, work) => admission.waiting(caller, work),
      }),
    },
  ],
  exports: [JOB_READ_OPTIONS],
})
export class AbsenceModule {}
