/** The time, and a way to wait for it. */
export interface Clock {
  /** Monotonic. Milliseconds. */
  now(): number;
  /** Calls `act` after this time, unless what it gives back is called before. Milliseconds. */
  after(ms: number, act: () => void): () => void;
}

export const realClock: Clock = {
  now: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

/** After a pause, this part of a second's calls may be made at once. */
const BURST_SECONDS = 0.25;

/** Lets calls through one after another: so many a second, and so many at a time. */
export class CallGate {
  private readonly waiting: { readonly enter: (leave: () => void) => void; readonly refuse: () => void }[] =
    [];
  private readonly burst: number;
  private allowed: number;
  private countedAt: number;
  private running = 0;
  private stopWaiting: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly callsPerSecond: number,
    private readonly mostAtOnce: number,
    private readonly clock: Clock = realClock,
  ) {
    this.burst = Math.max(1, callsPerSecond * BURST_SECONDS);
    this.allowed = this.burst;
    this.countedAt = clock.now();
  }

  /** Resolves when a call may be made, to what is called once when it has ended. Rejects when the gate is closed. */
  enter(): Promise<() => void> {
    return new Promise((enter, reject) => {
      const refuse = (): void => reject(new Error('the gate is closed'));
      if (this.closed) {
        refuse();
        return;
      }
      this.waiting.push({ enter, refuse });
      this.letThrough();
    });
  }

  /** Lets nobody through any more. */
  close(): void {
    this.closed = true;
    this.stopWaiting?.();
    for (const { refuse } of this.waiting.splice(0)) refuse();
  }

  private letThrough(): void {
    this.stopWaiting?.();
    this.stopWaiting = undefined;
    this.count();
    while (this.waiting.length > 0 && this.running < this.mostAtOnce) {
      if (this.allowed < 1) {
        // A timer may fire a little early: a whole millisecond more makes sure that the call is allowed then.
        const ms = Math.ceil(((1 - this.allowed) * 1_000) / this.callsPerSecond) + 1;
        this.stopWaiting = this.clock.after(ms, () => this.letThrough());
        return;
      }
      this.allowed--;
      this.running++;
      this.waiting.shift()?.enter(() => {
        this.running--;
        this.letThrough();
      });
    }
  }

  private count(): void {
    const now = this.clock.now();
    const earned = ((now - this.countedAt) * this.callsPerSecond) / 1_000;
    this.allowed = Math.min(this.burst, this.allowed + earned);
    this.countedAt = now;
  }
}
