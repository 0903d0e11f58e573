import { addMs, type MonotonicTime } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';

/** A call that stays open while its caller may watch these queues. */
export interface CheckedCall {
  readonly caller: Caller;
  /** More may come while it is open. */
  readonly queues: Iterable<string>;
  /** Called with why it has to end, perhaps several times. */
  end(error: RpcError): void;
}

/** How many sweeps there are for each check of a call: a sweep takes the calls that are due, and those that came together are due together. */
const SWEEPS = 10;

/**
 * Checks again and again, while calls stay open, whether their callers may still watch the queues. One timer for all calls: tens of thousands
 * of them may be open, of which nothing else is heard for minutes.
 */
export class PermissionChecks {
  /** With the time of the next check, in the order of these times. */
  private readonly dueAt = new Map<CheckedCall, MonotonicTime>();
  private cancelSweep: (() => void) | undefined;

  /** @param everyMs How often each call is checked: up to a tenth of that late */
  constructor(
    private readonly access: Pick<Access, 'toQueue'>,
    private readonly everyMs: number,
    private readonly clock: Pick<Clock, 'after' | 'monotonic'> = systemClock,
  ) {}

  /** Until {@link delete}. */
  add(call: CheckedCall): void {
    this.dueAt.set(call, addMs(this.clock.monotonic(), this.everyMs));
    this.cancelSweep ??= this.sweepLater();
  }

  delete(call: CheckedCall): void {
    this.dueAt.delete(call);
    if (this.dueAt.size > 0) return;
    this.cancelSweep?.();
    this.cancelSweep = undefined;
  }

  private sweepLater(): () => void {
    return this.clock.after(this.everyMs / SWEEPS, () => {
      this.cancelSweep = this.sweepLater();
      this.sweep();
    });
  }

  private sweep(): void {
    const now = this.clock.monotonic();
    for (const [call, dueAt] of this.dueAt) {
      if (dueAt > now) return;
      // To the end of the order.
      this.dueAt.delete(call);
      this.dueAt.set(call, addMs(now, this.everyMs));
      void this.check(call);
    }
  }

  /** No verdict is no denial: the call goes on. */
  private async check(call: CheckedCall): Promise<void> {
    for (const queue of call.queues) {
      try {
        await this.access.toQueue(call.caller, queue);
      } catch (error) {
        if (error instanceof RpcError && error.code !== status.UNAVAILABLE) call.end(error);
      }
    }
  }
}
