import { expiryOf } from '@ajs/auth';
import { systemClock, type Clock } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { DelayingQueue } from '../delaying-queue.js';
import { RpcError } from '../rpc-error.js';

/** A call that stays open while its caller may watch these queues. */
export interface CheckedCall {
  readonly caller: Caller;
  /** More may come while it is open. */
  readonly queues: Iterable<string>;
  /** Called with why it has to end, perhaps several times. */
  end(error: RpcError): void;
}

/** A check is late by up to this part of the time between two: calls that came together are checked together. */
const LATE_PART = 0.1;

/** Checks again and again, while calls stay open, and when their credentials expire, whether their callers may still watch the queues. */
export class PermissionChecks {
  private readonly calls: DelayingQueue<CheckedCall>;

  /** @param everyMs How often each call is checked: up to a tenth of that late */
  constructor(
    private readonly access: Pick<Access, 'toQueue'>,
    private readonly everyMs: number,
    private readonly clock: Clock = systemClock,
  ) {
    this.calls = new DelayingQueue(everyMs * LATE_PART, (due) => this.checkAll(due), clock);
  }

  /** Until {@link delete}. */
  add(call: CheckedCall): void {
    const left = this.msUntilExpiry(call);
    this.calls.addAfter(call, left > 0 ? Math.min(this.everyMs, left) : this.everyMs);
  }

  delete(call: CheckedCall): void {
    this.calls.remove(call);
  }

  private checkAll(due: readonly CheckedCall[]): void {
    for (const call of due) {
      this.add(call);
      void this.check(call);
    }
  }

  /** No verdict is no denial: the call goes on, as long as its credential is valid. */
  private async check(call: CheckedCall): Promise<void> {
    for (const queue of call.queues) {
      try {
        await this.access.toQueue(call.caller, queue);
      } catch (error) {
        if (!(error instanceof RpcError)) continue;
        if (error.code !== status.UNAVAILABLE) call.end(error);
        else if (this.msUntilExpiry(call) <= 0) call.end(expired());
      }
    }
  }

  /** By what the credential says itself; Infinity where it says nothing. */
  private msUntilExpiry({ caller }: CheckedCall): number {
    const [authorization] = caller.authorization;
    const expiresAt = typeof authorization === 'string' ? expiryOf(authorization) : undefined;
    return (expiresAt ?? Infinity) - this.clock.wall();
  }
}

function expired(): RpcError {
  return new RpcError(
    status.UNAUTHENTICATED,
    'the credentials (authorization) have expired; call again with new ones',
  );
}
