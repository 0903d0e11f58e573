import type { Bounds } from './bounds.js';
import type { Disturbance } from './history.js';

/** A time in which states may be older than before, since Redis lost acknowledged writes (P1). */
export interface Allowance {
  readonly from: number;
  /** When Redis was back. */
  readonly backAt: number;
  readonly until: number;
}

/** From each loss of writes until a while after the last fault. */
export function allowancesOf(disturbances: readonly Disturbance[], { olderAfterLoss }: Bounds): Allowance[] {
  const inOrder = disturbances.toSorted((a, b) => a.from - b.from);
  return inOrder.flatMap(({ lostWrites, from, to }) => {
    if (lostWrites !== true) return [];
    let calmAt = to;
    for (const later of inOrder.filter(({ of }) => of !== 'machine')) {
      if (later.from >= from && later.from <= calmAt + olderAfterLoss) calmAt = Math.max(calmAt, later.to);
    }
    return { from, backAt: to, until: calmAt + olderAfterLoss };
  });
}

/** Whether states may have become older at some moment of a time. */
export function isOlderAllowed(allowances: readonly Allowance[], from: number, to: number): boolean {
  return allowances.some((allowance) => allowance.from <= to && from <= allowance.until);
}
