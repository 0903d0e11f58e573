/** All in milliseconds. */
export interface Bounds {
  /** How long older states may be reported after Redis lost acknowledged writes, and after faults that came on top (P1). */
  readonly olderAfterLoss: number;
  /** Within what time of its event, and of the last fault, a terminal state must be reported (P4). */
  readonly untilReported: number;
  /** How young a job may be that is reported as not found: a live watch counts as proof for so long (P6). */
  readonly notFoundProof: number;
  /** NOT_FOUND_GRACE: no job with a younger id is reported as not found by the legacy API (P6). */
  readonly notFoundGrace: number;
  /** How long after a fault of Redis, of the query or of the machine a query may report Redis as unavailable (P5). */
  readonly redisBack: number;
  /**
   * Within what time watchers and waiters receive an end that Redis has, while there is no fault: twice the interval at which a query
   * looks for lost notices, and as much again for a busy machine.
   */
  readonly untilReceived: number;
  /** How far two readings of the clock may be apart. */
  readonly clocks: number;
}

export const BOUNDS: Bounds = {
  olderAfterLoss: 20_000,
  untilReported: 30_000,
  notFoundProof: 2_000,
  notFoundGrace: 30_000,
  redisBack: 4_000,
  untilReceived: 8_000,
  clocks: 100,
};
