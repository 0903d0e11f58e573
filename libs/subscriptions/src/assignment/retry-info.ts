import { setTimeout as sleep } from 'node:timers/promises';
import { redisErrorKind, type RedisClient } from '@ajs/job-store';

const RETRY_MS = 1_000;

/**
 * Has BullMQ wait for the right to run INFO as it waits for Redis itself: it begins with that command on every connection, and gives up
 * for good where it is denied. Returns the client, which is to be given to BullMQ before anything has used it.
 */
export function retryInfo<T extends RedisClient>(client: T, onError: (error: Error) => void): T {
  const info = client.info.bind(client) as (...args: unknown[]) => Promise<string>;
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => T;
  const untilAllowed = async (): Promise<string> => {
    for (;;) {
      try {
        return await info();
      } catch (error) {
        if (redisErrorKind(error) !== 'denied') throw error;
        onError(error as Error);
      }
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  };
  return Object.assign(client, {
    // The client's own look at INFO has arguments, and goes on without.
    info: (...args: unknown[]) => (args.length === 0 ? untilAllowed() : info(...args)),
    duplicate: (...args: unknown[]) => retryInfo(duplicate(...args), onError),
  });
}
