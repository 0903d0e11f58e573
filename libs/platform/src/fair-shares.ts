/**
 * How many times what is left free one caller may hold. A lone caller gets 3/4 of a pool; with `n` busy callers each gets 3 / (1 + 3n) of
 * it, once what they held before has been released.
 */
const FACTOR = 3;

/**
 * A bounded pool (of calls, bytes, connections) divided among whoever wants it: dynamic thresholds (Choudhury and Hahne, "Dynamic Queue
 * Length Thresholds for Shared-Memory Packet Switches", 1998). A caller may hold at most 3 times what it leaves free, so that room is left for
 * the next one; a caller that holds nothing may take what is left. Nothing is reserved for callers that are not there, and no time or list
 * of callers is needed: each operation is O(1), and a caller is remembered only while it holds something.
 */
export class FairShares {
  private readonly held = new Map<string, number>();
  private left: number;

  /** @param capacity The whole pool, in the unit of the amounts */
  constructor(readonly capacity: number) {
    this.left = capacity;
  }

  /** What nobody holds. After a refusal of at most this amount, it was the caller's share that was used up. */
  get free(): number {
    return this.left;
  }

  /** Whether `who` gets `amount` (above 0) more. If so, release it once it is not needed any more. */
  take(who: string, amount = 1): boolean {
    const before = this.held.get(who) ?? 0;
    const left = this.left - amount;
    const mayTake = before === 0 ? left >= 0 : before + amount <= FACTOR * left;
    if (!mayTake) return false;
    this.held.set(who, before + amount);
    this.left = left;
    return true;
  }

  /** As {@link take}, whatever is left: for what is needed to end work that is half done. The pool may then be overdrawn. */
  takeAnyway(who: string): void {
    this.held.set(who, (this.held.get(who) ?? 0) + 1);
    this.left--;
  }

  /** Gives back what `who` took, or a part of it. */
  release(who: string, amount = 1): void {
    const rest = (this.held.get(who) ?? 0) - amount;
    if (rest < 0) throw new Error('more was released than was taken');
    if (rest === 0) this.held.delete(who);
    else this.held.set(who, rest);
    this.left += amount;
  }
}
