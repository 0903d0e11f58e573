export { InterestRecorder } from './interest/interest-recorder.js';
export { InterestStore } from './interest/interest-store.js';
export type { Lifetime } from './interest/lifetime.js';
export type {
  EventSource,
  EventStream,
  StreamEnd,
  StreamListener,
  StreamRequest,
} from './sync/event-source.js';
export { BatchPacer } from './sync/batch-pacer.js';
export { JobSetReflector } from './sync/job-set-reflector.js';
export { Reconciler, type ReconcileObserver } from './sync/reconciler.js';
export { REFLECTOR_TIMING } from './sync/reflector-timing.js';
export { NoApiJobsError, type TerminalStateSource } from './sync/terminal-state-source.js';
export { ReadBudget } from './budget/read-budget.js';
export { ReadSchedule } from './budget/read-schedule.js';
export { UpstreamQuota } from './budget/upstream-quota.js';
export { WatchBudget } from './budget/watch-budget.js';
export type { AssignmentObserver } from './assignment/assignment-observer.js';
export { showConnected } from './assignment/dead-owners.js';
export { JobSetWorker } from './assignment/job-set-worker.js';
export { ReadRequestSender, listenForReadRequests } from './assignment/read-requests.js';
export { RollbackDetector } from './assignment/rollback-detector.js';
export { Sweeper } from './assignment/sweeper.js';
export { WorkQueue, assignmentIdOf } from './assignment/work-queue.js';
