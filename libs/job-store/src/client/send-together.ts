import { Redis } from 'ioredis';
import type { RedisClient } from './redis-client.js';

/**
 * Has the commands that follow in this run of code sent with one write. Commands to a Cluster go to several servers, each as it comes.
 */
export function sendTogether(client: RedisClient): void {
  if (!(client instanceof Redis)) return;
  // There is none before the first connection, whatever the type says.
  const stream = client.stream as Redis['stream'] | undefined;
  if (stream === undefined || stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
