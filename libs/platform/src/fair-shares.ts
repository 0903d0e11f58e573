/**
 * How many times what is left free one caller may hold. A lone caller gets 3/4 of a pool; with `n` busy callers each gets 3 / (1 + 3n) of
 * it, once what they held before has been released.
 */
const FACTOR = 3;
/** Callers that hold nothing, and are remembered all the same. */
const MAX_IDLE = 1_000;

/**
 * A bounded pool (of calls, bytes, connections) divided among whoever wants it: dynamic thresholds (Choudhury and Hahne, "Dynamic Queue
 * Length Thresholds for Shared-Memory Packet Switches", 1998). A caller may hold at most 3 times what it leaves free, so that room is left for
 * the next one; a caller that holds nothing may take what is left. Nothing is reserved for callers that are not there, and no time or list
 * of callers is needed: each operation is O(1), averaged over many.
 *
 * A caller that holds nothing is forgotten with many others at once: where callers came and went with each call, the map would make all of
 * its tables old for V8, one after the other (docs/performance.md, Young objects in old sets).
 */
export class FairShares {
  private held = new Map<string, number>();
  /** So many of them hold 0. */
  private idle = 0;
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
    const before = this.heldBy(who);
    const left = this.left - amount;
    const mayTake = before === 0 ? left >= 0 : before + amount <= FACTOR * left;
    if (!mayTake) return false;
    this.hold(who, before, before + amount);
    this.left = left;
    return true;
  }

  /** As {@link take}, whatever is left: for what is needed to end work that is half done. The pool may then be overdrawn. */
  takeAnyway(who: string): void {
    const before = this.heldBy(who);
    this.hold(who, before, before + 1);
    this.left--;
  }

  /** Gives back what `who` took, or a part of it. */
  release(who: string, amount = 1): void {
    const before = this.heldBy(who);
    if (before < amount) throw new Error('more was released than was taken');
    this.hold(who, before, before - amount);
    this.left += amount;
  }

  private heldBy(who: string): number {
    return this.held.get(who) ?? 0;
  }

  private hold(who: string, before: number, amount: number): void {
    if (before === 0 && this.held.has(who)) this.idle--;
    this.held.set(who, amount);
    if (amount > 0) return;
    this.idle++;
    // As many as are remembered rightly: so forgetting costs little for each.
    if (this.idle > Math.max(MAX_IDLE, this.held.size / 2)) this.forgetIdle();
  }

  private forgetIdle(): void {
    this.held = new Map(Array.from(this.held).filter(([, amount]) => amount > 0));
    this.idle = 0;
  }
}
