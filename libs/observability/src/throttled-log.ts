const INTERVAL_MS = 60_000;
/** How many different messages are remembered: failures of the same kind have the same message. */
const MAX_MESSAGES = 100;

/**
 * Says whether a recurring message is to be logged now: true the first time, then at most once per minute. A failed call is retried
 * again and again, for many job sets at once, and the log must not grow with the retries.
 */
export function throttledLog(now: () => number = () => performance.now()): (message: string) => boolean {
  const loggedAt = new Map<string, number>();
  return (message) => {
    if (now() - (loggedAt.get(message) ?? -Infinity) < INTERVAL_MS) return false;
    if (loggedAt.size >= MAX_MESSAGES) loggedAt.clear();
    loggedAt.set(message, now());
    return true;
  };
}
