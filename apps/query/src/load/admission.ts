import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';

export interface AdmissionLimits {
  /** Calls that are processed at once. */
  readonly working: number;
  /** Calls that wait at once for a verdict or a sync, which costs nothing but memory. */
  readonly waiting: number;
}

/**
 * Limits concurrent calls. Calls above the limit are rejected at once and not queued: a queue would make every caller wait ever longer,
 * and be worked off for callers that have given up.
 */
export class Admission {
  private working = 0;
  private waitingCalls = 0;

  constructor(
    private readonly limits: AdmissionLimits,
    private readonly shed: () => void,
  ) {}

  /**
   * Works on a call. Rejects before any work: with RESOURCE_EXHAUSTED at the limit, with CANCELLED or DEADLINE_EXCEEDED where the caller
   * gave up while its call was on its way.
   */
  async run<T>(caller: Pick<Caller, 'deadline' | 'isGone'>, work: () => Promise<T>): Promise<T> {
    const { working } = this.limits;
    if (caller.isGone()) throw new RpcError(status.CANCELLED, 'the caller cancelled the call');
    if (monotonicNow() >= caller.deadline) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'the deadline expired before the call was processed');
    }
    if (this.working >= working)
      throw this.limitReached(`is processing ${working} calls`, 'MAX_CONCURRENT_CALLS');
    this.working++;
    try {
      return await work();
    } finally {
      this.working--;
    }
  }

  /** Waits within the work on a call. Rejects with RESOURCE_EXHAUSTED at the limit of waiting calls. */
  pause(ms: number): Promise<void> {
    return this.waiting(() => sleep(ms));
  }

  /** As {@link pause}, until `work` has its result. */
  async waiting<T>(work: () => Promise<T>): Promise<T> {
    const { waiting } = this.limits;
    if (this.waitingCalls >= waiting)
      throw this.limitReached(`has ${waiting} calls waiting`, 'MAX_WAITING_CALLS');
    this.waitingCalls++;
    this.working--;
    try {
      return await work();
    } finally {
      this.waitingCalls--;
      this.working++;
    }
  }

  private limitReached(what: string, setting: string): RpcError {
    this.shed();
    return new RpcError(
      status.RESOURCE_EXHAUSTED,
      `concurrency limit reached: this replica ${what} (${setting}); retry, or add replicas`,
    );
  }
}
