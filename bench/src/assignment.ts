import { toMs } from '@ajs/job-state';
import { RedisJobLister } from '@ajs/job-store';
import { assignmentIdOf } from '@ajs/subscriptions';
import { FakeArmada, eventually } from '@ajs/testing';
import { startApp, type Child } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { thousands, type Figure } from './figure.js';
import { recordInterest } from './interest.js';
import { startStore, type Store } from './store.js';

const PATIENCE_MS = 120_000;
const BALANCED_MS = 30_000;
const TAKEN_OVER_MS = 5_000;
const EXIT_MS = 1_000;
const GAP_MS = 2_000;
type Key = ReturnType<typeof jobSetOf>;

/** How fast job sets are reassigned when a replica starts, is stopped, and is killed. */
export async function benchAssignment(quick: boolean): Promise<Figure[]> {
  const jobSets = quick ? 200 : 1_000;
  const kills = quick ? 1 : 3;
  const watches = jobSets / 2;
  const keys = Array.from({ length: jobSets }, (_, set) => jobSetOf(set));
  const store = await startStore();
  const armada = new FakeArmada();
  armada.state.queues.add(QUEUE);
  const env = {
    REDIS_URL: store.server.url,
    ARMADA_URL: await armada.listen('127.0.0.1:0'),
    WATCH_BUDGET: `${watches}`,
  };
  const replicas: Child[] = [];
  const start = async (): Promise<void> => void replicas.push((await startApp('ingester', env)).child);
  const allWatched = (): Promise<unknown> =>
    eventually('the watch budget is used up', () => armada.events.watches === watches, PATIENCE_MS);
  try {
    await start();
    await start();
    await recordInterest(store, keys);
    await allWatched();
    await start();
    const balanced = await untilBalanced(store, 3, watches);
    await allWatched();
    let exited: Promise<number> | undefined;
    const handedOver = await untilTakenOver(store, keys, () => {
      const began = performance.now();
      exited = replicas
        .shift()
        ?.stop('SIGTERM')
        .then(() => performance.now() - began);
    });
    const exit = (await exited) ?? NaN;
    const takenOver: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      await start();
      await untilBalanced(store, 3, watches);
      await allWatched();
      takenOver.push(await untilTakenOver(store, keys, () => replicas.shift()?.stop()));
    }
    const of = `of ${thousands(watches)} watches, ${thousands(jobSets)} job sets, three replicas`;
    const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
    return [
      {
        what: `a third replica starts: it has its share ${of}, within 10 %`,
        measured: seconds(balanced),
        target: `under ${BALANCED_MS / 1_000} s`,
        met: balanced < BALANCED_MS,
      },
      {
        what: 'a replica gets SIGTERM: it has exited',
        measured: seconds(exit),
        target: `under ${EXIT_MS / 1_000} s`,
        met: exit < EXIT_MS,
      },
      {
        what: 'a replica gets SIGTERM: others have read all its job sets',
        measured: seconds(handedOver),
        target: `under ${GAP_MS / 1_000} s`,
        met: handedOver < GAP_MS,
      },
      {
        what: `a replica is killed with -9: others have read all its job sets, the slowest of ${kills}`,
        measured: takenOver.map(seconds).join(', '),
        target: `under ${TAKEN_OVER_MS / 1_000} s`,
        met: takenOver.every((ms) => ms < TAKEN_OVER_MS),
      },
    ];
  } finally {
    for (const child of replicas) await child.stop();
    armada.stop();
    await store.stop();
  }
}

/** Milliseconds until each of so many replicas owns its share, within 10 % or three. */
async function untilBalanced(store: Store, replicas: number, watches: number): Promise<number> {
  const began = performance.now();
  const fair = watches / replicas;
  await eventually(
    'each replica has its share',
    async () => {
      const owned = Array.from(
        (await assignmentsByWorker(store)).values(),
        (assignments) => assignments.length,
      );
      return owned.length === replicas && owned.every((own) => Math.abs(own - fair) <= fair * 0.1 + 3);
    },
    PATIENCE_MS,
  );
  return performance.now() - began;
}

/** Ends a replica; resolves to how long it took until others have read every job set that it had a lease of, milliseconds. */
async function untilTakenOver(store: Store, keys: readonly Key[], end: () => unknown): Promise<number> {
  const assignments = await assignmentsByWorker(store);
  const [seconds, micros] = (await store.redis.time()).map(Number);
  const since = (seconds ?? 0) * 1_000 + (micros ?? 0) / 1_000;
  const began = performance.now();
  end();
  const gone = await eventually(
    'a replica is gone',
    async () => {
      const channels = await store.redis.pubsub('CHANNELS', `${store.redis.ownKeys.ownerChannels}*`);
      return Array.from(assignments.keys()).find(
        (worker) => !channels.includes(store.redis.ownKeys.ownerChannel(worker)),
      );
    },
    PATIENCE_MS,
  );
  // One that was killed had given some back since, read; one that was stopped has given back all.
  const lost = new Set((await assignmentsByWorker(store)).get(gone) ?? assignments.get(gone));
  const unread = new Set(keys.filter((key) => lost.has(assignmentIdOf(key))));
  const lister = new RedisJobLister(store.redis);
  return eventually(
    'its job sets are read by others',
    async () => {
      await Promise.all(
        Array.from(unread, async (key) => {
          const { subscription } = await lister.read(key, []);
          if (subscription?.syncedAt !== undefined && toMs(subscription.syncedAt) > since) unread.delete(key);
        }),
      );
      return unread.size === 0 && performance.now() - began;
    },
    PATIENCE_MS,
  );
}

/** The assignments that each worker has a lease of. */
async function assignmentsByWorker({ redis }: Store): Promise<Map<string, string[]>> {
  const locks = await redis.keys('{ajs}:follow:*:lock');
  const tokens = locks.length === 0 ? [] : await redis.mget(...locks);
  const assignments = new Map<string, string[]>();
  locks.forEach((lock, i) => {
    const worker = tokens[i]?.split(':')[0];
    if (worker === undefined) return;
    assignments.set(worker, [...(assignments.get(worker) ?? []), lock.split(':')[2] ?? '']);
  });
  return assignments;
}
