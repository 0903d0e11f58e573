import { setTimeout as sleep } from 'node:timers/promises';
import { redisErrorKind, type RedisClient } from '@ajs/job-store';

const RETRY_MS = 1_000;

/** Subscribes to a channel as soon as Redis allows it. */
export async function subscribeOnceAllowed(
  subscriber: RedisClient,
  channel: string,
  onDenied: (error: Error) => void,
): Promise<void> {
  for (;;) {
    try {
      await subscriber.subscribe(channel);
      return;
    } catch (error) {
      if (redisErrorKind(error) !== 'denied') throw error;
      onDenied(error as Error);
    }
    await sleep(RETRY_MS, undefined, { ref: false });
  }
}
