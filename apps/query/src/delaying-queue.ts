import { addMs, type MonotonicTime } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';

/**
 * Things that are due after a time, as the queue of that name in client-go. One timer for all, and none while it is empty: tens of thousands of
 * calls may be open, of which nothing else is heard for minutes.
 */
export class DelayingQueue<T> {
  /** In the order in which they were added. */
  private readonly dueAt = new Map<T, MonotonicTime>();
  private cancelTick: (() => void) | undefined;

  /**
   * @param tickMs So much later than it is due something may be taken
   * @param take Called with what is due, in the order in which it was added: that is no longer in the queue
   */
  constructor(
    private readonly tickMs: number,
    private readonly take: (due: readonly T[]) => void,
    private readonly clock: Pick<Clock, 'after' | 'monotonic'> = systemClock,
  ) {}

  /** What is in the queue already is due then, and not when it was before. */
  addAfter(item: T, ms: number): void {
    this.dueAt.delete(item);
    this.dueAt.set(item, addMs(this.clock.monotonic(), ms));
    this.cancelTick ??= this.tickLater();
  }

  remove(item: T): void {
    this.dueAt.delete(item);
    this.restIfEmpty();
  }

  private tickLater(): () => void {
    return this.clock.after(this.tickMs, () => {
      this.cancelTick = this.tickLater();
      this.take(this.takeDue());
      this.restIfEmpty();
    });
  }

  private restIfEmpty(): void {
    if (this.dueAt.size > 0) return;
    this.cancelTick?.();
    this.cancelTick = undefined;
  }

  private takeDue(): T[] {
    const now = this.clock.monotonic();
    const due: T[] = [];
    for (const [item, dueAt] of this.dueAt) {
      if (dueAt > now) continue;
      this.dueAt.delete(item);
      due.push(item);
    }
    return due;
  }
}
