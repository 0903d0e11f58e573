/** How long changes are kept for watchers that come back, and about how many a job set. */
export const CHANGES_TTL_SECONDS = 900;
export const CHANGES_KEPT = 1000;
