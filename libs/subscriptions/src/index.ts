export { ReadRequestSender, listenForReadRequests } from './assignment/read-requests.js';
export { RollbackDetector } from './assignment/rollback-detector.js';
export { InterestStore, type InterestEntry } from './interest/interest-store.js';
export type {
  EventSource,
  EventStream,
  StreamEnd,
  StreamListener,
  StreamRequest,
} from './sync/event-source.js';
export type { ReflectorObserver } from './sync/reflector-observer.js';
export { JobSetReflector, type JobSetReflectorOptions } from './sync/job-set-reflector.js';
export { REFLECTOR_TIMING, type ReflectorTiming } from './sync/reflector-timing.js';
export type { ReflectorOutcome } from './sync/reflector-state.js';
export type { AssignmentObserver } from './assignment/assignment-observer.js';
export { InterestRecorder } from './interest/interest-recorder.js';
export { NoJobEndsError, type JobEnds } from './sync/job-ends.js';
export { LeaseLostError, type Lease } from './sync/lease.js';
export type { Lifetime } from './interest/lifetime.js';
export type { JobSetQuota, NextStep, JobSetPosition } from './sync/job-set-quota.js';
export { UpstreamQuota } from './budget/upstream-quota.js';
export { ReadBudget } from './budget/read-budget.js';
export { ReadSchedule } from './budget/read-schedule.js';
export { Reconciler, type ReconcileObserver, type ReconcilerOptions } from './sync/reconciler.js';
export { Sweeper } from './assignment/sweeper.js';
export { JobSetWorker, type JobSetWorkerOptions } from './assignment/job-set-worker.js';
export { WatchBudget } from './budget/watch-budget.js';
export { WorkQueue, assignmentIdOf } from './assignment/work-queue.js';
