import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisClient } from '@ajs/job-store';

const RETRY_MS = 1_000;

/**
 * Sends a command every second until Redis takes it: Redis may run a long script, or deny the command until somebody grants the right.
 * Rejects once the client is closed.
 */
export async function untilAccepted<T>(
  client: RedisClient,
  command: () => Promise<T>,
  onError: (error: Error) => void,
): Promise<T> {
  for (;;) {
    try {
      return await command();
    } catch (error) {
      if (client.status === 'end') throw error;
      onError(error as Error);
    }
    await sleep(RETRY_MS, undefined, { ref: false });
  }
}
