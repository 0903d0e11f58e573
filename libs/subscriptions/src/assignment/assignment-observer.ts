import type { JobSetKey } from '@ajs/job-state';
import type { ReflectorObserver } from '../sync/reflector-observer.js';

/** Hears what this replica does with the job sets that are assigned to it, for logs and metrics. */
export interface AssignmentObserver extends ReflectorObserver {
  /** The job set is watched. Those that are read on a schedule are too many to be announced one by one. */
  watchStarted(key: JobSetKey): void;
  /** It is not watched any more, or not followed at all. */
  watchEnded(key: JobSetKey, reason: string): void;
  /**
   * This version cannot read what is stored of the job set, most likely since a newer one wrote it: it is given back, so that a newer replica
   * can take it, and tried here again after `retryInMs`. `inARow` counts the assignments that ended so one after the other: 1 is news.
   */
  unreadable(key: JobSetKey, error: Error, retryInMs: number, inARow: number): void;
  /** Something failed that trying again does not heal, most likely a defect. The job set is given back as if it were {@link unreadable}. */
  assignmentFailed(key: JobSetKey, error: Error, retryInMs: number, inARow: number): void;
}
