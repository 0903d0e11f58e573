import { MonotonicTime } from '@ajs/job-state';

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

/** The wall clock when a manual clock is made; its monotonic one is then at 0, so that a mix-up of the two shows. */
const BEGINNING = Date.UTC(2027, 0, 15, 8);

/** A clock that stands still until a spec moves it. */
export class ManualClock {
  private ms = 0;
  private setByMs = 0;
  private readonly waiting = new Set<Timer>();

  monotonic(): MonotonicTime {
    return MonotonicTime(this.ms);
  }

  wall(): number {
    return BEGINNING + this.ms + this.setByMs;
  }

  after(ms: number, act: () => void): () => void {
    const timer = { at: this.ms + ms, act };
    this.waiting.add(timer);
    return () => void this.waiting.delete(timer);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.waiting.size;
  }

  /** Sets the wall clock forward, or back, while the time goes on. */
  setWall(byMs: number): void {
    this.setByMs += byMs;
  }

  /** Moves the time; each timer whose moment comes acts at that moment. */
  advance(ms: number): void {
    const until = this.ms + ms;
    while (this.actUntil(until));
    this.ms = until;
  }

  /** As {@link advance}; what a timer begins without I/O has settled before the next one acts. */
  async pass(ms: number): Promise<void> {
    const until = this.ms + ms;
    do {
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.actUntil(until));
    this.ms = until;
  }

  /** Lets the first timer act; returns whether there was one. */
  private actUntil(until: number): boolean {
    const [next] = [...this.waiting].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
    if (next === undefined) return false;
    this.waiting.delete(next);
    this.ms = next.at;
    next.act();
    return true;
  }
}
