export { AskSender, listenForAsks } from './asks.js';
export { Canary } from './canary.js';
export { Demand, type Demanded } from './demand.js';
export type { EventSource, EventStream, StreamEnd, StreamListener, StreamRequest } from './event-source.js';
export type { FollowObserver } from './follow-observer.js';
export {
  FOLLOW_TIMING,
  Follower,
  type FollowTiming,
  type FollowerOptions,
  type Outcome,
} from './follower.js';
export { Interest } from './interest.js';
export { NoJobEndsError, type JobEnds } from './job-ends.js';
export { LeaseLostError, type Lease } from './lease.js';
export type { Lifetime } from './lifetime.js';
export type { JobSetPlan, Next, Standing } from './plan.js';
export { Planner } from './planner.js';
export { ReadBudget } from './read-budget.js';
export { ReadSchedule } from './read-schedule.js';
export { Reconciler, type ReconcileObserver, type ReconcilerOptions } from './reconciler.js';
export { Sweeper } from './sweeper.js';
export { Turns, type TurnsOptions } from './turns.js';
export { WatchBudget } from './watch-budget.js';
export { WorkQueue, turnIdOf } from './work-queue.js';
