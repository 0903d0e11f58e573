import type { MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from './monotonic-now.js';

/** The time as code that waits, or keeps something for a while, sees it; specs inject one that they move. */
export interface Clock {
  /** For how long something lasts: goes forward only, whatever happens to the system's time. */
  monotonic(): MonotonicTime;
  /** For moments that others wrote down, such as a token's `exp`. Milliseconds since 1970. */
  wall(): number;
  /** Runs `act` once after this time, unless the function that it returns is called before. Keeps no process alive. */
  after(ms: number, act: () => void): () => void;
}

export const systemClock: Clock = {
  monotonic: monotonicNow,
  wall: () => Date.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};
