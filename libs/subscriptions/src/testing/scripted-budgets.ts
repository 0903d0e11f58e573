import type { RedisClient } from '@ajs/job-store';
import { InterestStore } from '../interest/interest-store.js';
import type { Lifetime } from '../interest/lifetime.js';
import { UpstreamQuota } from '../budget/upstream-quota.js';
import { ReadBudget } from '../budget/read-budget.js';
import { ReadSchedule } from '../budget/read-schedule.js';
import { WatchBudget } from '../budget/watch-budget.js';

const ignore = (): void => undefined;

/** For specs: what a replica may cost Armada, by its numbers. */
export function scriptedBudgets(
  redis: RedisClient,
  replicaId: string,
  lifetime: Lifetime,
  { watchBudget = 100, readsPerSecond = 1_000, minIntervalMs = 60_000, maxIntervalMs = 60_000 } = {},
) {
  const watches = new WatchBudget({ redis, replicaId, budget: watchBudget, onError: ignore });
  const perSecond = (): number => readsPerSecond / watches.replicas;
  const quota = new UpstreamQuota({
    interest: new InterestStore(redis),
    lifetime,
    watches,
    reads: new ReadBudget(perSecond),
    schedule: new ReadSchedule({ minIntervalMs, maxIntervalMs, perSecond }),
    onRead: ignore,
    now: () => Date.now(),
  });
  return { watches, watchBudget, quota };
}
