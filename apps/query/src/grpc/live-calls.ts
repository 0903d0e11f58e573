import { MonotonicTime, earlierOf, msBetween } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';

/** How often calls are looked for whose callers are late, and how much less often for each open call. Milliseconds. */
const LATE_CALLS_MS = 1_000;
const LATE_CALLS_PER_CALL_MS = 0.1;
/** Deadlines that lie closer together pass together. Milliseconds. */
const GRAIN_MS = 5;
/** As long again for each open call: all are looked through for those whose deadline has passed. Milliseconds. */
const GRAIN_PER_CALL_MS = 0.01;
/** Node's timers take no longer delay. Milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const NEVER = MonotonicTime(Infinity);

export interface TimedCall {
  /** Where {@link LiveCalls} keeps it, which sets it. */
  place: number;
  readonly deadline: MonotonicTime;
  readonly isOver: boolean;
  /** The deadline has passed. */
  expire(): void;
  /** Ends the call where its caller is late. */
  endIfLate(now: MonotonicTime): void;
}

/**
 * The calls whose streams are open. One timer has their deadlines pass, and another looks for late callers: a timer for each call would be
 * felt by polls, nearly all of which end long before their deadlines.
 *
 * An array and not a set, which would keep all calls that pass through it from V8's young collections (docs/performance.md, Young objects
 * in old sets).
 */
export class LiveCalls {
  private readonly calls: TimedCall[] = [];
  private cancelLateCalls: () => void;
  private cancelDeadlines: (() => void) | undefined;
  private nextDeadline = NEVER;

  constructor(private readonly clock: Pick<Clock, 'after' | 'monotonic'> = systemClock) {
    this.cancelLateCalls = this.endLateCallsLater();
  }

  add(call: TimedCall): void {
    call.place = this.calls.push(call) - 1;
    if (call.deadline < this.nextDeadline) this.wakeAt(call.deadline);
  }

  delete(call: TimedCall): void {
    const { place } = call;
    if (this.calls[place] !== call) return;
    const last = this.calls.pop();
    if (last === undefined || last === call) return;
    this.calls[place] = last;
    last.place = place;
  }

  stop(): void {
    this.cancelLateCalls();
    this.cancelDeadlines?.();
  }

  private wakeAt(deadline: MonotonicTime): void {
    this.cancelDeadlines?.();
    this.nextDeadline = deadline;
    if (deadline === NEVER) return;
    const grainMs = GRAIN_MS + this.calls.length * GRAIN_PER_CALL_MS;
    const delay = Math.ceil(Math.max(grainMs, msBetween(this.clock.monotonic(), deadline)));
    this.cancelDeadlines = this.clock.after(Math.min(delay, MAX_TIMER_MS), () => this.expireCalls());
  }

  private expireCalls(): void {
    const now = this.clock.monotonic();
    let next = NEVER;
    this.forEach((call) => {
      if (call.isOver) return;
      if (call.deadline <= now) call.expire();
      else next = earlierOf(next, call.deadline);
    });
    this.wakeAt(next);
  }

  private endLateCallsLater(): () => void {
    return this.clock.after(LATE_CALLS_MS + this.calls.length * LATE_CALLS_PER_CALL_MS, () => {
      this.cancelLateCalls = this.endLateCallsLater();
      this.endLateCalls();
    });
  }

  private endLateCalls(): void {
    const now = this.clock.monotonic();
    this.forEach((call) => call.endIfLate(now));
  }

  /** From the last one to the first: where one leaves meanwhile, its place is taken by one that was visited before. */
  private forEach(visit: (call: TimedCall) => void): void {
    for (let i = this.calls.length - 1; i >= 0; i--) {
      const call = this.calls[i];
      if (call !== undefined) visit(call);
    }
  }
}
