import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 10;

/**
 * Waits until `look` returns something other than `undefined` or `false`, and resolves to that. An error of `look` counts as "not
 * yet". Rejects after the deadline with the last result or error, so that a failed test shows the cause.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 10_000,
): Promise<T> {
  const until = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until) {
      throw new Error(`not within ${withinMs} ms: ${what}; last: ${String(last)}`, { cause: last });
    }
    await sleep(LOOK_AGAIN_MS);
  }
}
