import { msBetween, type Cursor, type MonotonicTime } from '@ajs/job-state';
import { Backoff } from './backoff.js';
import type { StreamEnd } from './event-source.js';

/** All in milliseconds. */
export interface FailureTiming {
  /** A queue that Armada has not known for so long is gone. Armada's servers learn of a new queue up to 10 s late. */
  readonly goneAfterMs: number;
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** For queues that we may not watch, or that are gone. */
  readonly maxDeniedRetryMs: number;
}

/** What cannot be read is tried so often before it is skipped: bytes may be damaged on their way. */
const UNREADABLE_TRIES = 3;

/** What the failure of a stream means for its job set. */
export interface FailureVerdict {
  readonly state: 'connecting' | 'denied' | 'gone';
  /** Milliseconds to wait before the next stream. */
  readonly retryInMs: number;
  /** Streams that failed since the last read that came to its end. */
  readonly inARow: number;
}

/** How the streams of one job set have failed lately, over its assignments: what the next failure means, and how long to wait. */
export class StreamFailures {
  private readonly retry: Backoff;
  private readonly refusedRetry: Backoff;
  private goneSince: MonotonicTime | undefined;
  private endsInARow = 0;
  /** What cannot be read after this message: how often it was tried, and how many messages of it were skipped. */
  private unreadable: { readonly after: Cursor; tries: number; skipped: number } | undefined;

  constructor(private readonly timing: FailureTiming) {
    this.retry = new Backoff(timing.firstRetryMs, timing.maxRetryMs);
    this.refusedRetry = new Backoff(timing.firstRetryMs, timing.maxDeniedRetryMs);
  }

  /** Whether nothing of it needs to be remembered. */
  get isOver(): boolean {
    return this.endsInARow === 0 && this.unreadable === undefined;
  }

  /** A read came to its end. */
  synced(): void {
    this.goneSince = undefined;
    this.endsInARow = 0;
    this.refusedRetry.reset();
  }

  /** A watch stayed open for so long. */
  watchedFor(ms: number): void {
    if (ms > this.timing.maxRetryMs) this.retry.reset();
  }

  /** Whether a stream from here skips what cannot be read. */
  skipsAfter(cursor: Cursor): boolean {
    if (this.unreadable?.after !== cursor) this.unreadable = undefined;
    return (this.unreadable?.tries ?? 0) >= UNREADABLE_TRIES;
  }

  /** A stream skipped its `nth` message. Returns whether that is news: whoever begins there again skips it again. */
  skipped(nth: number): boolean {
    if (this.unreadable === undefined || nth <= this.unreadable.skipped) return false;
    this.unreadable.skipped = nth;
    return true;
  }

  /** @param after the last message that was read */
  classify({ kind }: StreamEnd, now: MonotonicTime, after: Cursor): FailureVerdict {
    if (kind === 'unreadable') {
      if (this.unreadable?.after !== after) this.unreadable = { after, tries: 0, skipped: 0 };
      this.unreadable.tries++;
    }
    if (kind !== 'gone' && kind !== 'denied') this.goneSince = undefined;
    if (kind === 'gone') this.goneSince ??= now;
    const isGone = this.goneSince !== undefined && msBetween(this.goneSince, now) >= this.timing.goneAfterMs;
    const state = kind === 'denied' ? 'denied' : kind === 'gone' && isGone ? 'gone' : 'connecting';
    const wait = state === 'connecting' ? this.retry : this.refusedRetry;
    return { state, retryInMs: wait.next(), inARow: ++this.endsInARow };
  }
}
