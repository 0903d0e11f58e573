import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient } from '@ajs/job-store';
import { Demand, WorkQueue } from '@ajs/subscriptions';
import type { Store } from './store.js';

/** Says that somebody asks about these job sets, as the first polls of them do. */
export async function askFor(store: Store, keys: readonly JobSetKey[]): Promise<void> {
  const connection = createRedisClient(
    { kind: 'single', url: store.server.url },
    'work-queue',
    () => undefined,
  );
  const workQueue = new WorkQueue(connection, () => undefined);
  const demand = new Demand(store.redis);
  try {
    await Promise.all(keys.map((key) => demand.note(key)));
    await workQueue.hint(keys);
  } finally {
    await workQueue.close();
    connection.disconnect();
  }
}
