/** As much of a turn as is needed here. */
export interface Suspendable {
  /** Closes its streams, and writes nothing any more. */
  giveUp(): void;
}

/**
 * So long is enough for a Redis that was away for 10 s, for the check for stalled turns after it, and for the work queue. Longer, and
 * streams that another replica may have opened by then would count twice at Armada.
 */
export const SUSPENDED_FOR_MS = 20_000;

/**
 * Turns whose lease ran out, most often because Redis is away. Their streams stay open and unread, in case this replica is given
 * the turn again: nothing is opened anew then, unless somebody else has written the job set.
 */
export class SuspendedAssignments<T extends Suspendable> {
  private readonly turns = new Map<string, { readonly turn: T; readonly timer: NodeJS.Timeout }>();

  /** Gives the turn up after its time. */
  keep(turnId: string, turn: T): void {
    const timer = setTimeout(() => this.take(turnId)?.giveUp(), SUSPENDED_FOR_MS);
    this.turns.set(turnId, { turn, timer });
  }

  /** The turn goes on, if it is kept here. */
  take(turnId: string): T | undefined {
    const kept = this.turns.get(turnId);
    if (kept === undefined) return undefined;
    clearTimeout(kept.timer);
    this.turns.delete(turnId);
    return kept.turn;
  }

  giveUpAll(): void {
    for (const turnId of this.turns.keys()) this.take(turnId)?.giveUp();
  }
}
