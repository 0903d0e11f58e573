import { addMs, type MonotonicTime } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';

/** The longest pause of a job set that is live. Milliseconds. */
const LIVE_PAUSE_MS = 20;
/** The longest pause of a job set that catches up: nobody takes it for synced before the end, and the end ends a pause. Milliseconds. */
const CATCH_UP_PAUSE_MS = 1_000;
/** Messages of all job sets together that may wait: some tens of megabytes. */
const MAX_WAITING = 50_000;

interface LivePause {
  readonly until: MonotonicTime;
  readonly end: () => void;
}

/**
 * How long messages gather before they are written, so that the process writes few large batches while it has much to do and does not
 * wait while it has little. What it has to do shows in its event loop: in an iteration without a new message for any job set,
 * all has been read that had arrived. One for all job sets of a process, whose waiting messages it also counts.
 */
export class BatchPacer {
  private accepted = 0;
  private waiting = 0;
  private readonly livePauses = new Set<LivePause>();
  private isWatching = false;

  /** @param nextIteration Runs a function in the next iteration of the event loop, behind what has arrived until then. */
  constructor(
    private readonly clock: Clock = systemClock,
    private readonly nextIteration: (act: () => void) => void = setImmediate,
  ) {}

  /** A message waits to be written. */
  messageAccepted(): void {
    this.accepted++;
    this.waiting++;
  }

  /** So many messages wait no longer. */
  messagesLeft(count: number): void {
    this.waiting -= count;
  }

  /** So many messages wait that nobody should add to them. */
  get isFull(): boolean {
    return this.waiting >= MAX_WAITING;
  }

  /**
   * Calls `end` once: for a live job set after an iteration of the event loop in which no message came, or after 20 ms; for one that
   * catches up after 1 s. Returns what ends the pause without that call.
   */
  pause(isLive: boolean, end: () => void): () => void {
    if (!isLive) return this.clock.after(CATCH_UP_PAUSE_MS, end);
    const pause = { until: addMs(this.clock.monotonic(), LIVE_PAUSE_MS), end };
    this.livePauses.add(pause);
    if (!this.isWatching) this.watchIteration();
    return () => void this.livePauses.delete(pause);
  }

  private watchIteration(): void {
    const { accepted } = this;
    this.isWatching = true;
    this.nextIteration(() => {
      this.endPauses(this.accepted === accepted);
      this.isWatching = false;
      if (this.livePauses.size > 0) this.watchIteration();
    });
  }

  private endPauses(isQuiet: boolean): void {
    const now = this.clock.monotonic();
    for (const pause of this.livePauses) {
      if (!isQuiet && now < pause.until) continue;
      this.livePauses.delete(pause);
      pause.end();
    }
  }
}
