import { Module } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import { IngesterMetrics } from '@ajs/observability';
import { REPLICA_ID, RedisErrorLog, RedisModule, SETTINGS } from '@ajs/runtime';
import {
  InterestStore,
  ReadBudget,
  ReadSchedule,
  UpstreamQuota,
  WatchBudget,
  type Lifetime,
} from '@ajs/subscriptions';
import { InterestModule } from '../interest/interest.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { LIFETIME, REDIS_WRITER } from '../tokens.js';

/** What this replica may request from Armada: its part of the watches and of the reads of all replicas. */
@Module({
  imports: [RedisModule, JobStoreModule, InterestModule],
  providers: [
    {
      provide: WatchBudget,
      inject: [REDIS_WRITER, REPLICA_ID, SETTINGS, RedisErrorLog],
      useFactory: (redis: RedisClient, replicaId: string, settings: Settings, errors: RedisErrorLog) =>
        new WatchBudget({ redis, replicaId, budget: settings.watchBudget, onError: errors.report }),
    },
    {
      provide: ReadBudget,
      inject: [WatchBudget, SETTINGS],
      useFactory: (watches: WatchBudget, settings: Settings) =>
        new ReadBudget(readsPerSecond(watches, settings)),
    },
    {
      provide: UpstreamQuota,
      inject: [InterestStore, LIFETIME, WatchBudget, ReadBudget, SETTINGS, IngesterMetrics],
      useFactory: (
        interest: InterestStore,
        lifetime: Lifetime,
        watches: WatchBudget,
        reads: ReadBudget,
        settings: Settings,
        metrics: IngesterMetrics,
      ) =>
        new UpstreamQuota({
          interest,
          lifetime,
          watches,
          reads,
          schedule: new ReadSchedule({
            minIntervalMs: settings.minReadIntervalMs,
            maxIntervalMs: settings.maxReadIntervalMs,
            perSecond: readsPerSecond(watches, settings),
          }),
          onRead: () => metrics.upstreamReads.inc(),
          now: () => Date.now(),
        }),
    },
  ],
  exports: [WatchBudget, ReadBudget, UpstreamQuota],
})
export class BudgetModule {}

/** This replica's part, which changes as replicas come and go. */
function readsPerSecond(watches: WatchBudget, { upstreamReadsPerSecond }: Settings): () => number {
  return () => upstreamReadsPerSecond / watches.replicas;
}
