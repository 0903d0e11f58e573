import { addMs, msBetween, type MonotonicTime } from '@ajs/job-state';
import { LRUCache } from 'lru-cache';
import { monotonicNow } from '@ajs/platform';
import type { AssignmentId } from '../budget/assignment-id.js';
import { Backoff } from '../sync/backoff.js';

/** Job sets whose failures are remembered. */
const REMEMBERED = 20_000;

/**
 * How soon a job set is tried again after its first failure, and at most. `unreadable`: a newer replica, where there is one, takes it then.
 * `denied`: nothing shows when the user of Redis is granted the right that it lacks.
 */
const RETRY_MS = {
  unreadable: { first: 1_000, max: 60_000 },
  denied: { first: 1_000, max: 30_000 },
  failed: { first: 10_000, max: 300_000 },
} as const;

/** Why a job set could not be followed. */
export type FailureCause = keyof typeof RETRY_MS;

interface Failures {
  readonly cause: FailureCause;
  readonly backoff: Backoff;
  readonly inARow: number;
  readonly retryAt: MonotonicTime;
}

/** The job sets that this replica could not follow for a reason that does not go away soon, and when each is tried here again. */
export class FailedAssignments {
  private readonly failures = new LRUCache<AssignmentId, Failures>({ max: REMEMBERED });

  constructor(private readonly now: () => MonotonicTime = monotonicNow) {}

  add(
    assignmentId: AssignmentId,
    cause: FailureCause,
  ): { readonly retryInMs: number; readonly inARow: number } {
    const before = this.failures.get(assignmentId);
    const { first, max } = RETRY_MS[cause];
    const backoff = before?.cause === cause ? before.backoff : new Backoff(first, max);
    const inARow = (before?.inARow ?? 0) + 1;
    const retryInMs = backoff.next();
    this.failures.set(assignmentId, { cause, backoff, inARow, retryAt: addMs(this.now(), retryInMs) });
    return { retryInMs, inARow };
  }

  /** Milliseconds for which this replica leaves the job set alone; `undefined` where it may try. */
  retryIn(assignmentId: AssignmentId): number | undefined {
    const failure = this.failures.get(assignmentId);
    const ms = failure && msBetween(this.now(), failure.retryAt);
    return ms !== undefined && ms > 0 ? ms : undefined;
  }

  /** The job set could be followed. */
  delete(assignmentId: AssignmentId): void {
    this.failures.delete(assignmentId);
  }
}
