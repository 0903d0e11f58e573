import { Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import type { JobDetailsLister, JobLister, JobSetChanges, JobSetLister } from '@ajs/job-store';
import { QueryMetrics } from '@ajs/observability';
import { ARMADA, ArmadaModule, RedisErrorLog, RedisModule, SETTINGS } from '@ajs/runtime';
import { InterestStore } from '@ajs/subscriptions';
import { status } from '@grpc/grpc-js';
import { AbsenceModule } from '../absence/absence.module.js';
import type { JobReadOptions } from '../absence/job-read-options.js';
import { Access } from '../access/access.js';
import { AuthModule } from '../access/auth.module.js';
import { ChangesModule } from '../changes/changes.module.js';
import { JobSetFeeds } from '../changes/job-set-feeds.js';
import { FailureLog } from '../failures/failure-log.js';
import { FailureLogModule } from '../failures/failure-log.module.js';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { Admission } from '../load/admission.js';
import { AdmissionModule } from '../load/admission.module.js';
import { countRefusals } from '../load/limit-reached.js';
import { CoalescedLocator } from '../store/coalesced-locator.js';
import { CoalescedReads } from '../store/coalesced-reads.js';
import { JobStoreModule } from '../store/job-store.module.js';
import {
  JOB_LISTER,
  JOB_READ_OPTIONS,
  JOB_SET_CHANGES,
  JOB_SET_LISTER,
  NOTE_INTEREST,
  V2_CALLS,
} from '../tokens.js';
import { armadaFor } from '../upstream/armada-for.js';
import { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import { UpstreamModule } from '../upstream/upstream.module.js';
import { AbsentJobs } from './absent-jobs.js';
import { JobResultsQuery } from './job-results-query.js';
import { JobSetNames } from './job-set-names.js';
import { JobSetQueries } from './job-set-queries.js';
import { JobSetReader } from './job-set-reader.js';
import { JobSetWatcher } from './job-set-watcher.js';
import { JobWaiter } from './job-waiter.js';
import { JobsWatcher } from './jobs-watcher.js';
import { KnownJobs } from './known-jobs.js';
import { OpenStreams, isOpenMethod } from './open-streams.js';
import { PermissionChecks } from './permission-checks.js';
import { EncodedBatchGetJobs, v2Api } from './v2-api.js';
import { v2Failed, type V2Calls } from './v2-service.js';

/** `jobservice.v2`, for gRPC and HTTP. */
@Module({
  imports: [
    RedisModule,
    ArmadaModule,
    JobStoreModule,
    AbsenceModule,
    AdmissionModule,
    AuthModule,
    InterestModule,
    UpstreamModule,
    FailureLogModule,
    ChangesModule,
  ],
  providers: [
    {
      provide: JobSetReader,
      inject: [JOB_LISTER, JOB_READ_OPTIONS],
      useFactory: (lister: JobLister & JobDetailsLister, options: JobReadOptions) => {
        const details = new CoalescedReads((key, jobs) =>
          lister.readDetails(key, [...jobs.keys()], [...jobs.values()]),
        );
        return new JobSetReader({
          ...options,
          lister: {
            locate: (jobIds) => lister.locate(jobIds),
            readDetails: (key, jobIds, seen) => details.read(key, jobIds, seen),
          },
        });
      },
    },
    {
      provide: KnownJobs,
      inject: [SETTINGS],
      useFactory: ({ terminalCacheJobs }: Settings) => new KnownJobs(terminalCacheJobs),
    },
    {
      provide: JobResultsQuery,
      inject: [Access, JOB_LISTER, JobSetReader, KnownJobs, UpstreamJobResolver, ARMADA, Admission, SETTINGS],
      useFactory: (
        access: Access,
        lister: JobLister,
        reader: JobSetReader,
        knownJobs: KnownJobs,
        resolver: UpstreamJobResolver,
        armada: ArmadaClient,
        admission: Admission,
        { notFoundGraceMs }: Settings,
      ) =>
        new JobResultsQuery({
          access,
          lister: new CoalescedLocator(lister),
          reader,
          knownJobs,
          resolver,
          armadaFor: armadaFor(armada.jobs, (caller, work) => admission.waiting(caller, work)),
          notFoundGraceMs,
        }),
    },
    {
      provide: JobSetQueries,
      inject: [Access, JOB_SET_LISTER, InterestStore, NOTE_INTEREST, Admission, SETTINGS],
      useFactory: (
        access: Access,
        jobSets: JobSetLister,
        interest: InterestStore,
        noteInterest: NoteInterest,
        admission: Admission,
        { firstPollWaitMs: waitMs }: Settings,
      ) =>
        new JobSetQueries({
          access,
          jobSets,
          names: new JobSetNames((shard) => interest.tagsIn(shard)),
          noteInterest,
          waitMs,
          pause: (caller, ms) => admission.pause(caller, ms),
        }),
    },
    {
      provide: OpenStreams,
      inject: [Access, Admission, SETTINGS, QueryMetrics],
      useFactory: (access: Access, admission: Admission, settings: Settings, metrics: QueryMetrics) =>
        new OpenStreams({
          checks: new PermissionChecks(access, settings.authVerdictTtlMs),
          admission,
          maxWaits: settings.maxOpenWaits,
          maxWatches: settings.maxOpenWatches,
          maxJobs: settings.maxAwaitedJobs,
          refused: countRefusals(metrics),
          onCount: (method, open) => metrics.openCalls.set({ method }, open),
        }),
    },
    {
      provide: AbsentJobs,
      inject: [JobResultsQuery, Admission, RedisErrorLog, FailureLog],
      useFactory: (
        results: JobResultsQuery,
        admission: Admission,
        errors: RedisErrorLog,
        failures: FailureLog,
      ) =>
        new AbsentJobs({
          results,
          admission,
          failed: v2Failed({ redisFailed: errors.report, internalError: failures.internalError }),
        }),
    },
    {
      provide: JobWaiter,
      inject: [JobResultsQuery, JobSetFeeds, OpenStreams, AbsentJobs, SETTINGS],
      useFactory: (
        results: JobResultsQuery,
        feeds: JobSetFeeds,
        streams: OpenStreams,
        absent: AbsentJobs,
        { maxWaitMs }: Settings,
      ) => new JobWaiter({ results, feeds, streams, absent, maxWaitMs }),
    },
    {
      provide: JobsWatcher,
      inject: [JobResultsQuery, JobSetFeeds, OpenStreams, AbsentJobs],
      useFactory: (results: JobResultsQuery, feeds: JobSetFeeds, streams: OpenStreams, absent: AbsentJobs) =>
        new JobsWatcher({ results, feeds, streams, absent }),
    },
    {
      provide: JobSetWatcher,
      inject: [Access, JobSetFeeds, JOB_SET_CHANGES, OpenStreams, NOTE_INTEREST],
      useFactory: (
        access: Access,
        feeds: JobSetFeeds,
        changes: JobSetChanges,
        streams: OpenStreams,
        noteInterest: NoteInterest,
      ) => new JobSetWatcher({ access, feeds, changes, streams, noteInterest }),
    },
    {
      provide: V2_CALLS,
      inject: [
        JobResultsQuery,
        KnownJobs,
        JobSetQueries,
        JobWaiter,
        JobSetWatcher,
        JobsWatcher,
        QueryMetrics,
        RedisErrorLog,
        FailureLog,
      ],
      useFactory: (
        results: JobResultsQuery,
        knownJobs: KnownJobs,
        jobSets: JobSetQueries,
        waiter: JobWaiter,
        jobSetWatcher: JobSetWatcher,
        jobsWatcher: JobsWatcher,
        metrics: QueryMetrics,
        errors: RedisErrorLog,
        failures: FailureLog,
      ): V2Calls => {
        const batchGetJobs = new EncodedBatchGetJobs(results, knownJobs);
        return {
          api: v2Api(batchGetJobs, jobSets, waiter),
          batchGetJobs,
          watchers: { jobSets: jobSetWatcher, jobs: jobsWatcher },
          failed: v2Failed({ redisFailed: errors.report, internalError: failures.internalError }),
          answered: (method, code, seconds) => {
            metrics.v2Calls.inc({ method, code: status[code] });
            if (method === 'waitForJobs') metrics.waitSeconds.observe(seconds);
            else if (!isOpenMethod(method)) metrics.callSeconds.observe({ api: 'v2' }, seconds);
          },
        };
      },
    },
  ],
  exports: [V2_CALLS, JobResultsQuery],
})
export class V2Module implements OnModuleDestroy {
  constructor(@Inject(OpenStreams) private readonly streams: OpenStreams) {}

  /** Waits answer what they have, and streams end, while the ports finish their calls. */
  onModuleDestroy(): void {
    this.streams.stop();
  }
}
