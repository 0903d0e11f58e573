/** How long interest keeps a job set (P8). All in milliseconds since the last poll. */
export interface Lifetime {
  readonly followFor: number;
  /** Followed this long while it has jobs that have not ended. */
  readonly followUnfinishedFor: number;
  /** Deleted after so long. */
  readonly keepFor: number;
}

/** Whether a job set is still to be followed. `age` is the time since the last poll, `undefined` where it was forgotten. */
export function isWanted(lifetime: Lifetime, age: number | undefined, unfinished: number): boolean {
  if (age === undefined) return false;
  return age < lifetime.followFor || (unfinished > 0 && age < lifetime.followUnfinishedFor);
}
