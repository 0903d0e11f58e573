declare const clock: unique symbol;

/**
 * A moment by one clock: milliseconds at run time, and no number to the compiler. Moments of one clock are compared with each
 * other, and what lies between them is a number; those of two clocks cannot be mixed by accident. A moment may be 0: whether there
 * is one is asked by comparing with `undefined`.
 */
interface Moment<Clock extends string> {
  readonly [clock]: Clock;
}

/** A moment by the monotonic clock of this process: it means nothing to another one. */
export type MonotonicTime = Moment<'monotonic'>;

/** A moment by Redis' clock, which all replicas share. Since the epoch. */
export type RedisTime = Moment<'redis'>;

/** A moment by Armada's clock, or by one that is taken for it. Since the epoch. */
export type ArmadaTime = Moment<'armada'>;

type Time = MonotonicTime | RedisTime | ArmadaTime;

/** The moment at so many milliseconds by this process's monotonic clock. */
export function MonotonicTime(ms: number): MonotonicTime {
  return ms as unknown as MonotonicTime;
}

/** The moment at so many milliseconds by Redis' clock. */
export function RedisTime(ms: number): RedisTime {
  return ms as unknown as RedisTime;
}

/** The moment at so many milliseconds by Armada's clock. */
export function ArmadaTime(ms: number): ArmadaTime {
  return ms as unknown as ArmadaTime;
}

/** The milliseconds that stand for a moment: for what is stored or sent. */
export function toMs(time: Time): number {
  return time as unknown as number;
}

/** How many milliseconds later `to` is than `from`. */
export function msBetween<T extends Time>(from: T, to: NoInfer<T>): number {
  return toMs(to) - toMs(from);
}

/** The moment so many milliseconds later. */
export function addMs<T extends Time>(time: T, ms: number): T {
  return (toMs(time) + ms) as unknown as T;
}

/** The earlier one of two moments. */
export function earlierOf<T extends Time>(a: T, b: NoInfer<T>): T {
  return a < b ? a : b;
}

/** The later one of two moments. */
export function laterOf<T extends Time>(a: T, b: NoInfer<T>): T {
  return a < b ? b : a;
}
