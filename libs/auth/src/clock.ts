/** The time, in two ways. */
export interface Clock {
  /** For how long something is kept: goes forward only, from any beginning. Milliseconds. */
  monotonic(): number;
  /** For what others wrote down, such as the end of a token: Unix milliseconds. */
  wall(): number;
}

export const realClock: Clock = { monotonic: () => performance.now(), wall: () => Date.now() };
