/** As much of an assignment as is needed here. */
export interface Suspendable {
  /** Closes its streams, and writes nothing any more. */
  abandon(): void;
}

/**
 * This is enough for a Redis that was unavailable for 10 s, for the check for stalled assignments after it, and for the work queue. Longer,
 * and streams that another replica may have opened by then would count twice at Armada.
 */
export const SUSPENDED_FOR_MS = 20_000;

/**
 * Assignments whose lease ran out, most often because Redis is unavailable. Their streams stay open and unread, in case this replica is
 * given the assignment again: nothing is opened anew then, unless another owner has written the job set.
 */
export class SuspendedAssignments<T extends Suspendable> {
  private readonly suspended = new Map<
    AssignmentId,
    { readonly assignment: T; readonly timer: NodeJS.Timeout }
  >();

  /** Abandons the assignment after its time. */
  keep(id: AssignmentId, assignment: T): void {
    const timer = setTimeout(() => this.take(id)?.abandon(), SUSPENDED_FOR_MS);
    this.suspended.set(id, { assignment, timer });
  }

  /** The assignment, if it is kept here. */
  peek(id: AssignmentId): T | undefined {
    return this.suspended.get(id)?.assignment;
  }

  /** The assignment, if it is kept here: it goes on. */
  take(id: AssignmentId): T | undefined {
    const kept = this.suspended.get(id);
    if (kept === undefined) return undefined;
    clearTimeout(kept.timer);
    this.suspended.delete(id);
    return kept.assignment;
  }

  abandonAll(): void {
    for (const id of this.suspended.keys()) this.take(id)?.abandon();
  }
}
import type { AssignmentId } from '../budget/assignment-id.js';
