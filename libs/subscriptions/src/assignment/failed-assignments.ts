import { addMs, msBetween, type MonotonicTime } from '@ajs/job-state';
import { LRUCache } from 'lru-cache';
import { monotonicNow } from '@ajs/platform';
import type { AssignmentId } from '../budget/assignment-id.js';
import { Backoff } from '../sync/backoff.js';

/** Job sets whose failures are remembered. */
const REMEMBERED = 20_000;

/** How soon a job set is tried again after its first failure, and at most. A newer replica, where there is one, takes it then. */
const RETRY_MS = {
  unreadable: { first: 1_000, max: 60_000 },
  failed: { first: 10_000, max: 300_000 },
} as const;

interface Failures {
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
    why: keyof typeof RETRY_MS,
  ): { readonly retryInMs: number; readonly inARow: number } {
    const before = this.failures.get(assignmentId);
    const backoff = before?.backoff ?? new Backoff(RETRY_MS[why].first, RETRY_MS[why].max);
    const inARow = (before?.inARow ?? 0) + 1;
    const retryInMs = backoff.next();
    this.failures.set(assignmentId, { backoff, inARow, retryAt: addMs(this.now(), retryInMs) });
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
