import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 10;
/** No look with its pause counts for more than this part of the deadline: it takes more than a machine that stalls once to reach it. */
const LARGEST_PART = 0.1;

/**
 * Waits until `look` returns something other than `undefined` or `false`, and resolves to that. An error of `look` counts as "not
 * yet". Rejects after the deadline, and ten looks at least, with the last result or error, so that a failed test shows the cause.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 30_000,
): Promise<T> {
  let waitedMs = 0;
  let last: unknown;
  for (;;) {
    const lookedAt = performance.now();
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (waitedMs > withinMs) {
      throw new Error(`not within ${withinMs} ms: ${what}; last: ${String(last)}`, { cause: last });
    }
    await sleep(LOOK_AGAIN_MS);
    waitedMs += Math.min(performance.now() - lookedAt, withinMs * LARGEST_PART);
  }
}
