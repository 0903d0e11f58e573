export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Does the work once, so many milliseconds from now; gives what cancels it. The process may end before. */
  after(ms: number, work: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};
