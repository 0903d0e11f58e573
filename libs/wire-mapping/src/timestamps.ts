import type { Timestamp } from '@ajs/contracts/google/protobuf/timestamp';

/** Milliseconds since the epoch; `undefined` where there is no time, or one that no clock shows. */
export function toMillis(time: Timestamp | undefined): number | undefined {
  if (time === undefined) return undefined;
  const ms = Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6);
  return Number.isSafeInteger(ms) && ms > 0 && ms < 1e14 ? ms : undefined;
}

/** The inverse of {@link toMillis}. */
export function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds: `${seconds}`, nanos: (ms - seconds * 1000) * 1e6 };
}
