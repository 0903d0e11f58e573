import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';

export interface AdmissionLimits {
  /** Calls that are worked on at once. */
  readonly working: number;
  /** Calls at once that wait for something to become known, which costs nothing but memory. */
  readonly waiting: number;
}

/**
 * Bounds the calls in hand. What is above the limit is answered at once and not queued: a queue would make everyone wait ever longer, and
 * work for callers that have given up.
 */
export class Admission {
  private working = 0;
  private waitingCalls = 0;

  constructor(
    private readonly limits: AdmissionLimits,
    private readonly shed: () => void,
  ) {}

  /**
   * Works on a call. Rejects before any work: with RESOURCE_EXHAUSTED where there are too many, with CANCELLED or DEADLINE_EXCEEDED
   * where the caller gave up while its call was on its way.
   */
  async run<T>(caller: Pick<Caller, 'deadline' | 'isGone'>, work: () => Promise<T>): Promise<T> {
    const { working } = this.limits;
    if (caller.isGone()) throw new RpcError(status.CANCELLED, 'the caller is gone');
    if (performance.now() >= caller.deadline) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'the deadline was over before there was any work');
    }
    if (this.working >= working) throw this.tooMany(`works on ${working} calls`, 'MAX_CONCURRENT_CALLS');
    this.working++;
    try {
      return await work();
    } finally {
      this.working--;
    }
  }

  /** Waits within the work on a call. Rejects with RESOURCE_EXHAUSTED where too many wait. */
  pause(ms: number): Promise<void> {
    return this.waiting(() => sleep(ms));
  }

  /** As {@link pause}, for what somebody has to find out. */
  async waiting<T>(found: () => Promise<T>): Promise<T> {
    const { waiting } = this.limits;
    if (this.waitingCalls >= waiting) throw this.tooMany(`has ${waiting} calls waiting`, 'MAX_WAITING_CALLS');
    this.waitingCalls++;
    this.working--;
    try {
      return await found();
    } finally {
      this.waitingCalls--;
      this.working++;
    }
  }

  private tooMany(what: string, setting: string): RpcError {
    this.shed();
    return new RpcError(
      status.RESOURCE_EXHAUSTED,
      `this replica already ${what} (${setting}); ask again, or have more replicas`,
    );
  }
}
