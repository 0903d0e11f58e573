import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient } from '@ajs/job-store';
import { InterestStore, WorkQueue } from '@ajs/subscriptions';
import type { Store } from './store.js';

const AT_ONCE = 500;

/** Says that somebody asks about these job sets, as the first polls of them do. */
export async function askFor(store: Store, keys: readonly JobSetKey[]): Promise<void> {
  const connection = createRedisClient(
    { kind: 'single', url: store.server.url },
    'work-queue',
    () => undefined,
  );
  const workQueue = new WorkQueue(connection, () => undefined);
  const demand = new InterestStore(store.redis);
  try {
    for (let from = 0; from < keys.length; from += AT_ONCE) {
      const some = keys.slice(from, from + AT_ONCE);
      await Promise.all(some.map((key) => demand.record(key)));
      await workQueue.enqueue(some);
    }
  } finally {
    await workQueue.close();
    connection.disconnect();
  }
}
