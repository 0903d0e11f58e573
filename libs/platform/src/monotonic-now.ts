import { MonotonicTime } from '@ajs/job-state';

/** Now, by this process's monotonic clock. */
export function monotonicNow(): MonotonicTime {
  return MonotonicTime(performance.now());
}
