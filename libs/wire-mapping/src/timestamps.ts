import type { Timestamp } from '@ajs/contracts/google/protobuf/timestamp';
import { ArmadaTime, toMs, type RedisTime } from '@ajs/job-state';

/** A moment of Armada's; `undefined` where there is none, or one that no clock shows. */
export function toArmadaTime(timestamp: Timestamp | undefined): ArmadaTime | undefined {
  if (timestamp === undefined) return undefined;
  const ms = Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6);
  return ms > 0 && ms < 1e14 ? ArmadaTime(ms) : undefined;
}

/** A moment by a clock that counts since the epoch. The inverse of {@link toArmadaTime}. */
export function toTimestamp(time: ArmadaTime | RedisTime): Timestamp {
  const ms = toMs(time);
  const seconds = Math.floor(ms / 1000);
  return { seconds: `${seconds}`, nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}

/** As {@link toTimestamp}, of a moment that may not be known. */
export function optionalTimestamp(time: ArmadaTime | RedisTime | undefined): Timestamp | undefined {
  return time === undefined ? undefined : toTimestamp(time);
}
