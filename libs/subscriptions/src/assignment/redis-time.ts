import type { RedisClient } from '@ajs/job-store';
import redisTime from './lua/redisTime.lua';

/** BullMQ's scripts that are run here and that look at the time, with the number of the key `marker` where they set it. */
const TIMED: Readonly<Record<string, number | undefined>> = {
  moveToActive: undefined,
  moveToFinished: undefined,
  moveToDelayed: 1,
};

/**
 * Has BullMQ's scripts on this client go by Redis' clock: by itself BullMQ dates delayed jobs, and takes them for due, by the clock of the
 * process that happens to look. Returns the client, which is to be given to BullMQ before anything has used it.
 */
export function byRedisTime<T extends RedisClient>(client: T): T {
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    // BullMQ names a command after the script and its own version.
    const script = name.split(':')[0] ?? '';
    define(name, script in TIMED ? { ...definition, lua: timed(definition.lua, TIMED[script]) } : definition);
  };
  return client;
}

function timed(script: string, marker: number | undefined): string {
  return `local MARKER = ${marker ?? 'nil'}\n${redisTime.replace('--SCRIPT', () => script)}`;
}
