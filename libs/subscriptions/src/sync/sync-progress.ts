import { MonotonicTime, addMs, laterOf, toMs, type RedisTime, type StreamMessage } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';

const NEVER = MonotonicTime(-Infinity);

/** A moment as of which the job set is synced once so many messages are written. */
interface SyncMark {
  readonly afterMessages: number;
  readonly at: MonotonicTime;
}

/** What one write says of how far the job set is synced. */
export interface SyncClaim {
  readonly messages: number;
  /** Left out where nothing newer is known. */
  readonly syncedAt: MonotonicTime | undefined;
  readonly mark: SyncMark | undefined;
}

/**
 * As of which moment a job set is synced with Armada: claimed with the write that makes it so, and never a moment before one that was
 * claimed.
 */
export class SyncProgress {
  private accepted = 0;
  private written = 0;
  /** When Armada had the last message, as far as its clock and Redis' agree. */
  private lastMessageAt = NEVER;
  /** How far Redis' clock is ahead of this process's monotonic one, at the most. Not known before the first write. */
  private redisAheadMs: number | undefined;
  private claimedAt = NEVER;
  private mark: SyncMark | undefined;

  /** Whether any write has claimed a moment. */
  get isSynced(): boolean {
    return this.claimedAt > NEVER;
  }

  accept({ id }: StreamMessage): void {
    this.accepted++;
    if (this.redisAheadMs === undefined) return;
    const now = monotonicNow();
    this.lastMessageAt = addMs(now, -Math.max(0, toMs(now) + this.redisAheadMs - id.ms));
  }

  /** All that Armada had at this moment has been accepted. */
  markSynced(at: MonotonicTime): void {
    this.mark = { afterMessages: this.accepted, at };
  }

  /** @param endsLive The last of these messages is the last that was accepted, and came from a live watch. */
  claim(messages: number, endsLive: boolean): SyncClaim {
    const { mark } = this;
    let at = NEVER;
    // An event of a live watch is a sign that the watch brings what there was until then: it may come late, and others after it.
    if (endsLive && messages > 0 && this.isSynced) at = this.lastMessageAt;
    if (mark !== undefined && mark.afterMessages <= this.written + messages) at = laterOf(at, mark.at);
    return { messages, syncedAt: at > this.claimedAt ? at : undefined, mark };
  }

  /** The write with this claim is in the store: sent at one moment, taken at the other. */
  commit({ messages, syncedAt, mark }: SyncClaim, sentAt: MonotonicTime, writtenAt: RedisTime): void {
    this.redisAheadMs = toMs(writtenAt) - toMs(sentAt);
    this.written += messages;
    if (syncedAt !== undefined) this.claimedAt = syncedAt;
    // Another moment may have been marked meanwhile.
    if (mark !== undefined && mark.afterMessages <= this.written && this.mark === mark) this.mark = undefined;
  }
}
