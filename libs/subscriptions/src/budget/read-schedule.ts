import { HOTTEST, type Heat } from './heat.js';

/** A job set that was quiet for a time is read again after this part of it. */
const PART_OF_QUIET = 1 / 4;
/** How full a second may be with reads of the coldest and the hottest job sets that are due: the rest is for read requests. */
const FILLED = { coldest: 0.85, hottest: 0.95 };

export interface ReadScheduleOptions {
  /** The least and the most time between two reads of a job set, unless more are due than may be made. Milliseconds. */
  readonly minIntervalMs: number;
  readonly maxIntervalMs: number;
  /** Reads a second that this replica plans, as of now. */
  readonly perSecond: () => number;
  /** The monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

/**
 * When job sets without a watch are read again: soon after a poll or an event, rarer the longer there was none, and later where a
 * second has as many reads as may be made. Each replica plans its part of the fleet's reads; any replica may then make them.
 */
export class ReadSchedule {
  /** Reads planned, by second. */
  private readonly planned = new Map<number, number>();

  constructor(private readonly options: ReadScheduleOptions) {}

  /** Milliseconds until a job set is read again that had neither an event nor a poll for `quietMs`. */
  next(quietMs: number, heat: Heat): number {
    const { minIntervalMs, maxIntervalMs } = this.options;
    return this.reserve(Math.min(Math.max(quietMs * PART_OF_QUIET, minIntervalMs), maxIntervalMs), heat);
  }

  /** The first time after `waitMs` milliseconds at which there is place for a read; it is taken. */
  reserve(waitMs: number, heat: Heat): number {
    const now = this.options.now?.() ?? performance.now();
    this.forgetBefore(Math.floor(now / 1_000));
    const most = Math.max(1, Math.floor(this.options.perSecond() * filled(heat)));
    let second = Math.floor((now + waitMs) / 1_000);
    while ((this.planned.get(second) ?? 0) >= most) second++;
    const taken = this.planned.get(second) ?? 0;
    this.planned.set(second, taken + 1);
    // Reads of one second are spread over it.
    return Math.max(waitMs, (second + taken / most) * 1_000 - now);
  }

  private forgetBefore(second: number): void {
    for (const past of this.planned.keys()) if (past < second) this.planned.delete(past);
  }
}

function filled(heat: Heat): number {
  return FILLED.coldest + (FILLED.hottest - FILLED.coldest) * (heat / HOTTEST);
}
