/**
 * The layout that this version writes. Raised whenever a reader of the layout before could not read a record whole: with a new
 * state, a new field, a new outcome. `docs/adr/0017-stored-layout.md` says what a layout may change.
 */
export const LAYOUT = 4;

/**
 * A record's first byte, which the scripts read too: the same in every layout. The low bits are the number of the job's state
 * (`JOB_STATES`), the others are flags.
 */
export const STATE_BITS = 0x1f;
/** The revision of the write that changed the record last follows. Not in layout 1; set by the scripts, which alone know it. */
export const HAS_REVISION = 0x20;
/** The job has an entry in the hash of failure details. */
export const HAS_FAILURE_DETAILS = 0x40;
export const IS_TERMINAL = 0x80;

/** The number of each field in a record's mask of fields. Fixed for ever: never changed, never given to another field. */
export const FIELD = {
  lastEvent: 0,
  submittedAt: 1,
  run: 2,
  namespace: 3,
  podNumber: 4,
  podName: 5,
  preempted: 6,
  leasedAt: 7,
  pendingAt: 8,
  runningAt: 9,
  endedAt: 10,
  cluster: 11,
  pool: 12,
  node: 13,
  podNamespace: 14,
  outcome: 15,
  reported: 16,
  reportedLease: 17,
  failedRuns: 18,
} as const;

export type Field = keyof typeof FIELD;
