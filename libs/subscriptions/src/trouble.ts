import { Backoff } from './backoff.js';
import type { StreamEnd } from './event-source.js';

/** All in milliseconds. */
export interface TroubleTiming {
  /** A queue that Armada has not known for so long is gone. Armada's servers learn of a new queue up to 10 s late. */
  readonly goneAfter: number;
  readonly firstRetry: number;
  readonly longestRetry: number;
  /** For queues that we may not watch, or that are gone. */
  readonly longestRefusedRetry: number;
}

/** What a stream's end that was not wanted means for its job set. */
export interface Setback {
  readonly state: 'connecting' | 'denied' | 'gone';
  /** Milliseconds until it is worth another try. */
  readonly retryInMs: number;
  /** Streams that ended so since the last catch-up. */
  readonly inARow: number;
}

/** How the streams of one job set have failed lately, over its turns: what the next failure means, and how long to wait. */
export class Trouble {
  private readonly retry: Backoff;
  private readonly refusedRetry: Backoff;
  private goneSince: number | undefined;
  private endsInARow = 0;

  constructor(private readonly timing: TroubleTiming) {
    this.retry = new Backoff(timing.firstRetry, timing.longestRetry);
    this.refusedRetry = new Backoff(timing.firstRetry, timing.longestRefusedRetry);
  }

  /** Whether nothing of it needs to be remembered. */
  get isOver(): boolean {
    return this.endsInARow === 0;
  }

  /** A read came to its end. */
  caughtUp(): void {
    this.goneSince = undefined;
    this.endsInARow = 0;
    this.refusedRetry.reset();
  }

  /** A watch stayed open for so long. */
  watchedFor(ms: number): void {
    if (ms > this.timing.longestRetry) this.retry.reset();
  }

  /** @param now By the monotonic clock. */
  setback({ kind }: StreamEnd, now: number): Setback {
    if (kind !== 'gone' && kind !== 'denied') this.goneSince = undefined;
    if (kind === 'gone') this.goneSince ??= now;
    const isGone = this.goneSince !== undefined && now - this.goneSince >= this.timing.goneAfter;
    const state = kind === 'denied' ? 'denied' : kind === 'gone' && isGone ? 'gone' : 'connecting';
    const wait = state === 'connecting' ? this.retry : this.refusedRetry;
    return { state, retryInMs: wait.next(), inARow: ++this.endsInARow };
  }
}
