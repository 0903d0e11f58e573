import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a server that was downloaded stays: a folder of the user's cache. */
export function cacheFolder(name: string): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'armada-job-service', name);
}
