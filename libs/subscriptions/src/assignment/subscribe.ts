import type { RedisClient } from '@ajs/job-store';
import { untilAccepted } from './until-accepted.js';

/**
 * Keeps a client subscribed to a channel: as soon as Redis takes that, and again whenever the client is connected anew. Resolves when it is
 * subscribed for the first time; rejects once the client is closed.
 */
export async function keepSubscribed(
  subscriber: RedisClient,
  channel: string,
  onError: (error: Error) => void,
): Promise<void> {
  const subscribe = () => untilAccepted(subscriber, () => subscriber.subscribe(channel), onError);
  const subscribed = subscribe();
  subscriber.on('ready', () => {
    subscribe().catch(() => {
      // The client is closed.
    });
  });
  await subscribed;
}
