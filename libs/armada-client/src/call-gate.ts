import { TokenBucket, systemClock, type Clock } from '@ajs/platform';

/** After a pause, this many seconds' worth of calls may be made at once. */
const BURST_SECONDS = 0.25;

interface Waiting {
  readonly enter: (leave: () => void) => void;
  readonly refuse: () => void;
}

/** Admits calls in the order they came, limited in rate and in number at one time. */
export class CallGate {
  private readonly waiting: Waiting[] = [];
  private readonly bucket: TokenBucket;
  private running = 0;
  private cancelTimer: (() => void) | undefined;
  private closed = false;

  constructor(
    callsPerSecond: number,
    private readonly maxConcurrent: number,
    private readonly clock: Clock = systemClock,
  ) {
    const rate = { perSecond: callsPerSecond, burst: Math.max(1, callsPerSecond * BURST_SECONDS) };
    this.bucket = new TokenBucket(
      () => rate,
      () => clock.monotonic(),
    );
  }

  /** Resolves when a call may be made, to a function to call once when it has ended. Rejects when the gate is closed. */
  enter(): Promise<() => void> {
    return new Promise((enter, reject) => {
      const refuse = (): void => reject(new Error('the gate is closed'));
      if (this.closed) {
        refuse();
        return;
      }
      this.waiting.push({ enter, refuse });
      this.admit();
    });
  }

  /** Rejects all that wait, and all that come later. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    for (const { refuse } of this.waiting.splice(0)) refuse();
  }

  private admit(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    while (this.waiting.length > 0 && this.running < this.maxConcurrent) {
      if (!this.bucket.take()) {
        this.cancelTimer = this.clock.after(this.bucket.msUntil(), () => this.admit());
        return;
      }
      this.running++;
      this.waiting.shift()?.enter(() => {
        this.running--;
        this.admit();
      });
    }
  }
}
