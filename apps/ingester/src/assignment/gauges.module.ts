import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { IngesterMetrics } from '@ajs/observability';
import { RedisErrorLog, RedisModule, WorkQueueModule } from '@ajs/runtime';
import { JobSetWorker, ReadBudget, WatchBudget, WorkQueue } from '@ajs/subscriptions';
import { BudgetModule } from '../budget/budget.module.js';
import { EventLagLog } from './event-lag-log.js';
import { WorkerModule } from './worker.module.js';

const INTERVAL_MS = 5_000;

/** How much this replica works on, as metrics. */
@Module({ imports: [RedisModule, WorkQueueModule, BudgetModule, WorkerModule] })
export class GaugesModule implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(JobSetWorker) private readonly worker: JobSetWorker,
    @Inject(EventLagLog) private readonly eventLag: EventLagLog,
    @Inject(WatchBudget) private readonly watches: WatchBudget,
    @Inject(ReadBudget) private readonly reads: ReadBudget,
    @Inject(WorkQueue) private readonly workQueue: WorkQueue,
    @Inject(IngesterMetrics) private readonly metrics: IngesterMetrics,
    @Inject(RedisErrorLog) private readonly errors: RedisErrorLog,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.measure(), INTERVAL_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private measure(): void {
    const { metrics } = this;
    metrics.watches.set(this.watches.size);
    metrics.assignments.set(this.worker.size);
    metrics.jobSetsBehindApiJobs.set(this.eventLag.jobSets);
    metrics.eventsBehindApiJobs.set(this.eventLag.maxLagMs / 1_000);
    metrics.upstreamReadsWaiting.set(this.reads.backlog);
    this.workQueue.countDelayed().then((count) => metrics.jobSetsAwaitingRead.set(count), this.errors.report);
  }
}
