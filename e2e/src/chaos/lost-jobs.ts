import type { Disturbance, TrueJob } from './history.js';

/**
 * Whether a job's state cannot be known any more at a time: Armada has forgotten messages of it, and Redis has lost writes since. No
 * other copy exists.
 */
export function isLost(
  { forgottenAt }: TrueJob,
  disturbances: readonly Disturbance[],
  at = Infinity,
): boolean {
  if (forgottenAt === undefined) return false;
  return disturbances.some(
    ({ lostWrites, from, to }) => lostWrites === true && to >= forgottenAt && from <= at,
  );
}
