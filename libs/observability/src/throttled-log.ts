const EVERY_MS = 60_000;
/** So many different things are remembered at the most: those that fail alike say the same. */
const REMEMBERED = 100;

/**
 * Says whether something is to be told now: true the first time, then once a minute at most while it goes on. What fails is tried
 * again and again, for many job sets at once, and a log must not grow with the tries.
 */
export function throttledLog(now: () => number = () => performance.now()): (what: string) => boolean {
  const toldAt = new Map<string, number>();
  return (what) => {
    if (now() - (toldAt.get(what) ?? -Infinity) < EVERY_MS) return false;
    if (toldAt.size >= REMEMBERED) toldAt.clear();
    toldAt.set(what, now());
    return true;
  };
}
