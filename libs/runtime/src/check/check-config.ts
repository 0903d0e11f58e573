import { checkArmada } from './check-armada.js';
import { checkRedis } from './check-redis.js';
import type { Settings } from '@ajs/config';

/** What `--check-config` found of one part of the configuration. */
export interface Check {
  readonly what: string;
  /** `warning`: the process runs, but not as it should, or it could not be tried. */
  readonly outcome: 'ok' | 'warning' | 'failed';
  /** What was found, for people; where something is wrong, what to do about it. Holds no secret. */
  readonly found: string;
}

/**
 * Tries whether a process could work with these settings, which are valid: connects to Redis and to Armada, and tries the rights there. Takes
 * some seconds at most. Changes nothing but keys of its own, which expire.
 */
export async function checkConfig(app: string, settings: Settings): Promise<Check[]> {
  const user = app === 'query' ? 'reader' : 'writer';
  const parts = await Promise.all([checkRedis(settings.redis, user), checkArmada(settings)]);
  return [{ what: 'settings', outcome: 'ok', found: 'all valid' }, ...parts.flat()];
}

/** The checks as a table for a terminal. */
export function checkTable(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ what }) => what.length));
  return checks
    .map(({ what, outcome, found }) => `${outcome.padEnd(7)}  ${what.padEnd(width)}  ${found}\n`)
    .join('');
}
