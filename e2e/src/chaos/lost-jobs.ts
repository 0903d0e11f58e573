import type { Trouble, TrueJob } from './history.js';

/**
 * Whether nothing can be said of a job any more, as far as was known at a time: Armada has forgotten messages of it, and Redis has lost
 * writes since. Nobody else knows what became of it.
 */
export function isLost({ forgottenAt }: TrueJob, troubles: readonly Trouble[], at = Infinity): boolean {
  if (forgottenAt === undefined) return false;
  return troubles.some(({ lostWrites, from, to }) => lostWrites === true && to >= forgottenAt && from <= at);
}
