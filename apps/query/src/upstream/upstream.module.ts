import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { ArmadaClient } from '@ajs/armada-client';
import type { ProvisionalJobSink } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import { ARMADA, ArmadaModule, LOG, RedisErrorLog, RedisModule } from '@ajs/runtime';
import { InterestModule } from '../interest/interest.module.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { PolledJobs } from '../store/polled-jobs.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { NOTE_INTEREST, PROVISIONAL_JOBS } from '../tokens.js';
import { EventLagProbe } from './event-lag-probe.js';
import { ReportRecorder } from './report-recorder.js';
import { ReportedJobs } from './reported-jobs.js';
import { UpstreamJobResolver } from './upstream-job-resolver.js';

/** Soon enough to notice a lag of more than a few seconds, at one call of Armada's `api.Jobs` each time. Milliseconds. */
const PROBE_EVERY_MS = 5_000;

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
      inject: [ReportRecorder],
      useFactory: (recorder: ReportRecorder) => new UpstreamJobResolver({ recorder }),
    },
    {
      provide: EventLagProbe,
      inject: [ARMADA, PolledJobs, ReportRecorder],
      useFactory: (armada: ArmadaClient, polled: PolledJobs, recorder: ReportRecorder) =>
        new EventLagProbe({ sample: () => polled.take(), armada: armada.jobs, recorder }),
    },
    {
      provide: ReportedJobs,
      inject: [ARMADA, UpstreamJobResolver, PROVISIONAL_JOBS, RedisErrorLog],
      useFactory: (
        armada: ArmadaClient,
        resolver: UpstreamJobResolver,
        sink: ProvisionalJobSink,
        errors: RedisErrorLog,
      ) => new ReportedJobs({ armada: armada.jobs, resolver, sink, redisFailed: errors.report }),
    },
  ],
  exports: [ReportRecorder, ReportedJobs, UpstreamJobResolver],
})
export class UpstreamModule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private isProbing = false;

  constructor(
    @Inject(EventLagProbe) private readonly probe: EventLagProbe,
    @Inject(LOG) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.findEventLag(), PROBE_EVERY_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async findEventLag(): Promise<void> {
    if (this.isProbing) return;
    this.isProbing = true;
    try {
      await this.probe.run();
    } catch (error) {
      this.log.error(
        { err: error },
        "comparing polled jobs with Armada's api.Jobs failed; this is likely a defect of this service",
      );
    } finally {
      this.isProbing = false;
    }
  }
}
