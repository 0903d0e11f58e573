import { msBetween, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from './monotonic-now.js';

/**
 * Whether a loop in the background goes on. The loop reports each round that comes to its end; it stands still when none has for longer
 * than a round takes at most. Measured by the monotonic clock. A loop that has not begun does not stand still.
 */
export class LoopProgress {
  private movedAt: MonotonicTime | undefined;
  private failure: Error | undefined;

  /** @param maxRoundMs From the end of one round to the end of the next, also where the machine is busy. */
  constructor(
    private readonly maxRoundMs: number,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {}

  /** The loop begins, or a round has come to its end. */
  moved(): void {
    this.movedAt = this.now();
    this.failure = undefined;
  }

  /** A round failed: this is why, if the loop stands still. */
  failed(error: Error): void {
    this.failure = error;
  }

  /** There is nothing to do, or the loop was stopped: no round is to come. */
  idle(): void {
    this.movedAt = undefined;
  }

  /** For how long the loop has stood still, and why where that is known; `undefined` while it goes on. */
  get standstill(): string | undefined {
    const ms = this.movedAt === undefined ? 0 : msBetween(this.movedAt, this.now());
    if (ms <= this.maxRoundMs) return undefined;
    const why = this.failure === undefined ? '' : `: ${this.failure.message}`;
    return `no progress for ${Math.floor(ms / 1000)} s${why}`;
  }
}
