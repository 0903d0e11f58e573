import { FairShares } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import type { Refused } from './limit-reached.js';

/** As much of a budget is added for calls that are refused, until their callers have gone. */
const PART_FOR_REFUSALS = 1 / 4;

/**
 * One budget of bytes for the messages of all calls of this process: requests from their first byte, compressed ones also by what they
 * become, and responses until their readers have taken them. A caller can use at most its fair share of it.
 */
export class MessageBudget {
  private readonly shares: FairShares;
  private readonly forRefusals: FairShares;

  /** @param bytes The budget (`MAX_BUFFERED_BYTES`) */
  constructor(
    bytes: number,
    private readonly refused: Refused,
  ) {
    this.shares = new FairShares(bytes);
    this.forRefusals = new FairShares(bytes * PART_FOR_REFUSALS);
  }

  /** What the caller `who` holds with one call: nothing yet. */
  open(who: string): MessageAccount {
    return new MessageAccount(this.shares, this.forRefusals, who, this.refused);
  }
}

/** The part of a {@link MessageBudget} that one call holds. Close it when the call has ended, whatever way; then it holds nothing. */
export class MessageAccount {
  private held = 0;
  private heldForRefusal = 0;
  private closed = false;

  constructor(
    private readonly shares: FairShares,
    private readonly forRefusals: FairShares,
    private readonly who: string,
    private readonly refused: Refused,
  ) {}

  /** Bytes. */
  get bytes(): number {
    return this.held;
  }

  /** Makes the call hold this many bytes. Throws RESOURCE_EXHAUSTED where that is more than it may have: it keeps what it holds. */
  hold(bytes: number): void {
    if (this.closed) return;
    const more = bytes - this.held;
    if (more > 0 && !this.shares.take(this.who, more)) throw this.exhausted(more);
    if (more < 0) this.shares.release(this.who, -more);
    this.held = bytes;
  }

  /**
   * Once {@link hold} was refused: whether the call may hold this many bytes until its caller has its refusal. Where it may not, the caller has
   * so many that it does not take.
   */
  holdForRefusal(bytes: number): boolean {
    if (!this.forRefusals.take(this.who, bytes)) return false;
    this.heldForRefusal = bytes;
    return true;
  }

  close(): void {
    this.hold(0);
    if (this.heldForRefusal > 0) this.forRefusals.release(this.who, this.heldForRefusal);
    this.heldForRefusal = 0;
    this.closed = true;
  }

  private exhausted(more: number): RpcError {
    const { capacity, free } = this.shares;
    const limit = more > free ? 'total' : 'share';
    this.refused('message_memory', limit);
    return new RpcError(
      status.RESOURCE_EXHAUSTED,
      limit === 'total'
        ? `message memory used up: this replica holds at most ${capacity} bytes of messages (MAX_BUFFERED_BYTES); retry, or add replicas`
        : `share of message memory used up: your calls hold too much of the ${capacity} bytes of messages that this replica holds ` +
            '(MAX_BUFFERED_BYTES); send fewer or smaller calls at a time, and read their responses',
    );
  }
}
