import type { RedisClient } from '@ajs/job-store';
import { Demand } from './demand.js';
import type { Lifetime } from './lifetime.js';
import { Planner } from './planner.js';
import { ReadBudget } from './read-budget.js';
import { ReadSchedule } from './read-schedule.js';
import { WatchBudget } from './watch-budget.js';

const ignore = (): void => undefined;

/** For specs: what a replica may ask of Armada, by its numbers. */
export function scriptedBudgets(
  redis: RedisClient,
  replicaId: string,
  lifetime: Lifetime,
  { watchBudget = 100, readsPerSecond = 1_000, shortestMs = 60_000, longestMs = 60_000 } = {},
) {
  const watches = new WatchBudget({ redis, replicaId, budget: watchBudget, onError: ignore });
  const perSecond = (): number => readsPerSecond / watches.replicas;
  const planner = new Planner({
    demand: new Demand(redis),
    lifetime,
    watches,
    reads: new ReadBudget(perSecond),
    schedule: new ReadSchedule({ shortestMs, longestMs, perSecond }),
    reading: ignore,
    now: () => Date.now(),
  });
  return { watches, watchBudget, planner };
}
