import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a program that was downloaded or built stays: a folder of the user's cache. */
export function cacheFolder(name: string): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'armada-job-service', name);
}
