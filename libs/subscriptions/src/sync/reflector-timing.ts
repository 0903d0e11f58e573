import type { FailureTiming } from './stream-failures.js';

/** All in milliseconds. */
export interface ReflectorTiming extends FailureTiming {
  /** A heartbeat is written this often, idle or not: how soon a Redis that lost writes, or another owner, is noticed. */
  readonly heartbeatEveryMs: number;
  /** A watch that has been silent for this long is checked by a read. */
  readonly checkSilentWatchAfterMs: number;
  /** Every watch is checked by a read this often: Armada does not end it when we may no longer watch. */
  readonly checkWatchEveryMs: number;
  /** Reads that polls request begin at least this far apart. */
  readonly readRequestSpacingMs: number;
  /** A watch that lacks a message which a read returned is reopened after this time. */
  readonly reopenLaggingWatchAfterMs: number;
  /** A silent watch is reopened whose checks have all failed for this long. */
  readonly reopenUnprovenWatchAfterMs: number;
}

export const REFLECTOR_TIMING: ReflectorTiming = {
  heartbeatEveryMs: 3_000,
  checkSilentWatchAfterMs: 10_000,
  checkWatchEveryMs: 60_000,
  readRequestSpacingMs: 1_000,
  reopenLaggingWatchAfterMs: 5_000,
  reopenUnprovenWatchAfterMs: 30_000,
  goneAfterMs: 15_000,
  firstRetryMs: 500,
  maxRetryMs: 10_000,
  maxDeniedRetryMs: 60_000,
};
