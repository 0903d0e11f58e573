import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient } from '@ajs/job-store';
import { InterestStore, WorkQueue } from '@ajs/subscriptions';
import type { Store } from './store.js';

const AT_ONCE = 500;

/** Records interest in these job sets, as their first polls do. */
export async function recordInterest(store: Store, keys: readonly JobSetKey[]): Promise<void> {
  const connection = createRedisClient(
    { kind: 'single', url: store.server.url },
    'work-queue',
    () => undefined,
  );
  const workQueue = new WorkQueue(connection, () => undefined);
  const interest = new InterestStore(store.redis);
  try {
    for (let from = 0; from < keys.length; from += AT_ONCE) {
      const some = keys.slice(from, from + AT_ONCE);
      await Promise.all(some.map((key) => interest.record(key)));
      await workQueue.enqueue(some);
    }
  } finally {
    await workQueue.close();
    connection.disconnect();
  }
}
