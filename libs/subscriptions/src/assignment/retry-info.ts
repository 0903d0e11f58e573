import type { RedisClient } from '@ajs/job-store';
import { untilAccepted } from './until-accepted.js';

/**
 * Has BullMQ wait until Redis answers INFO, as it waits for Redis itself: it begins with that command on every connection, and gives up
 * for good where it is refused. Returns the client, which is to be given to BullMQ before anything has used it.
 */
export function retryInfo<T extends RedisClient>(client: T, onError: (error: Error) => void): T {
  const info = client.info.bind(client) as (...args: unknown[]) => Promise<string>;
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => T;
  return Object.assign(client, {
    // The client's own look at INFO has arguments, and goes on without.
    info: (...args: unknown[]) =>
      args.length === 0 ? untilAccepted(client, () => info(), onError) : info(...args),
    duplicate: (...args: unknown[]) => retryInfo(duplicate(...args), onError),
  });
}
