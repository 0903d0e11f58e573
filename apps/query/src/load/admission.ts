import { FairShares, monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { callerGone, type Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import { limitReached, type Refused } from './limit-reached.js';

export interface AdmissionLimits {
  /** Calls that are processed at once. */
  readonly working: number;
  /** Calls that wait at once for a verdict, a sync or Armada, which costs nothing but memory. */
  readonly waiting: number;
}

/** One call; the same object from its begin to its end. */
type Call = Pick<Caller, 'key'>;

/**
 * Limits concurrent calls, in total and by caller. Calls above the limit are rejected at once and not queued: a queue would make every
 * caller wait ever longer, and be worked off for callers that have given up.
 */
export class Admission {
  private readonly working: FairShares;
  private readonly waitingCalls: FairShares;
  /** Calls that were taken in, and have not left. */
  private readonly calls = new Set<Call>();
  /** How many things each waiting call waits for. It takes no place among those that are worked on. */
  private readonly waits = new Map<Call, number>();
  /** Waiting calls with a place in {@link waitingCalls}. */
  private readonly counted = new Set<Call>();

  constructor(
    limits: AdmissionLimits,
    private readonly refused: Refused,
  ) {
    this.working = new FairShares(limits.working);
    this.waitingCalls = new FairShares(limits.waiting);
  }

  /** Calls that wait now. */
  get waitingNow(): number {
    return this.waits.size;
  }

  /**
   * Takes a call in for work; {@link leave} when that is done. Throws RESOURCE_EXHAUSTED at the limit, CANCELLED or DEADLINE_EXCEEDED where
   * the caller gave up while its call was on its way.
   */
  enter(call: Pick<Caller, 'key' | 'deadline' | 'isGone'>): void {
    const { key, deadline, isGone } = call;
    if (isGone()) throw callerGone(call);
    if (monotonicNow() >= deadline) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'the deadline expired before the call was processed');
    }
    if (!this.working.take(key)) throw limitReached('working_calls', this.working, this.refused);
    this.calls.add(call);
  }

  /** What the call still waits for, if anything, goes on without it: a check of its rights, a read beside one that failed. */
  leave(call: Call): void {
    this.calls.delete(call);
    if (!this.endWait(call)) this.working.release(call.key);
  }

  /** Works on a call. Rejects before any work, as {@link enter} throws. */
  async run<T>(caller: Pick<Caller, 'key' | 'deadline' | 'isGone'>, work: () => Promise<T>): Promise<T> {
    this.enter(caller);
    try {
      return await work();
    } finally {
      this.leave(caller);
    }
  }

  /** Waits within the work on a call. Rejects with RESOURCE_EXHAUSTED at the limit of waiting calls. */
  pause(call: Call, ms: number): Promise<void> {
    return this.waiting(call, () => sleep(ms));
  }

  /** As {@link pause}, until `work` has its result. A call that waits for several things at once counts once. */
  async waiting<T>(call: Call, work: () => Promise<T>): Promise<T> {
    this.setAside(call, 'counted');
    try {
      return await work();
    } finally {
      this.takeBack(call);
    }
  }

  /**
   * A call waits within the work on it, until {@link takeBack}: once for each thing that it waits for. Throws RESOURCE_EXHAUSTED where there
   * is no room for it.
   * @param as Left out: it is counted elsewhere, among those that stay open for long
   */
  setAside(call: Call, as?: 'counted'): void {
    // What goes on for a call that has ended takes no place, and ends soon.
    if (!this.calls.has(call)) return;
    const before = this.waits.get(call) ?? 0;
    if (before === 0) {
      if (as !== undefined) this.takePlace(call);
      this.working.release(call.key);
    }
    this.waits.set(call, before + 1);
  }

  takeBack(call: Call): void {
    const things = this.waits.get(call);
    // The call has ended.
    if (things === undefined) return;
    if (things > 1) this.waits.set(call, things - 1);
    else {
      this.endWait(call);
      this.working.takeAnyway(call.key);
    }
  }

  private takePlace(call: Call): void {
    const { waitingCalls: pool } = this;
    if (!pool.take(call.key)) throw limitReached('waiting_calls', pool, this.refused);
    this.counted.add(call);
  }

  /** Whether the call did wait. */
  private endWait(call: Call): boolean {
    if (this.counted.delete(call)) this.waitingCalls.release(call.key);
    return this.waits.delete(call);
  }
}
