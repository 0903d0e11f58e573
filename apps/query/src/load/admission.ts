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
type Call = Pick<Caller, 'key' | 'admitted'>;

/** What a call that was taken in, and has not left, holds. */
export interface Admitted {
  /** How many things the call waits for. While it waits, it takes no place among those that are worked on. */
  waits: number;
  /** Whether it has a place among the waiting calls. */
  isCounted: boolean;
}

/**
 * Limits concurrent calls, in total and by caller. Calls above the limit are rejected at once and not queued: a queue would make every
 * caller wait ever longer, and be worked off for callers that have given up.
 */
export class Admission {
  private readonly working: FairShares;
  private readonly waitingCalls: FairShares;
  private waitingCount = 0;

  constructor(
    limits: AdmissionLimits,
    private readonly refused: Refused,
  ) {
    this.working = new FairShares(limits.working);
    this.waitingCalls = new FairShares(limits.waiting);
  }

  /** Calls that wait now. */
  get waitingNow(): number {
    return this.waitingCount;
  }

  /**
   * Takes a call in for work; {@link leave} when that is done. Throws RESOURCE_EXHAUSTED at the limit, CANCELLED or DEADLINE_EXCEEDED where
   * the caller gave up while its call was on its way.
   */
  enter(call: Call & Pick<Caller, 'deadline' | 'isGone'>): void {
    const { key, deadline, isGone } = call;
    if (isGone()) throw callerGone(call);
    if (monotonicNow() >= deadline) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'the deadline expired before the call was processed');
    }
    if (!this.working.take(key)) throw limitReached('working_calls', this.working, this.refused);
    call.admitted = { waits: 0, isCounted: false };
  }

  /** What the call still waits for, if anything, goes on without it: a check of its rights, a read beside one that failed. */
  leave(call: Call): void {
    const { admitted } = call;
    call.admitted = undefined;
    if (admitted === undefined || admitted.waits === 0) this.working.release(call.key);
    else this.endWait(call, admitted);
  }

  /** Works on a call. Rejects before any work, as {@link enter} throws. */
  async run<T>(caller: Call & Pick<Caller, 'deadline' | 'isGone'>, work: () => Promise<T>): Promise<T> {
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
    const { admitted } = call;
    // What goes on for a call that has ended takes no place, and ends soon.
    if (admitted === undefined) return;
    if (admitted.waits === 0) {
      if (as !== undefined) this.takePlace(call, admitted);
      this.working.release(call.key);
      this.waitingCount++;
    }
    admitted.waits++;
  }

  takeBack(call: Call): void {
    const { admitted } = call;
    // The call has ended.
    if (admitted === undefined || admitted.waits === 0) return;
    if (--admitted.waits > 0) return;
    this.endWait(call, admitted);
    this.working.takeAnyway(call.key);
  }

  private takePlace(call: Call, admitted: Admitted): void {
    const { waitingCalls: pool } = this;
    if (!pool.take(call.key)) throw limitReached('waiting_calls', pool, this.refused);
    admitted.isCounted = true;
  }

  private endWait({ key }: Call, admitted: Admitted): void {
    if (admitted.isCounted) this.waitingCalls.release(key);
    admitted.isCounted = false;
    this.waitingCount--;
  }
}
