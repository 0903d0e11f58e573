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
    const began = performance.now();
    const exited = replicas[0]?.stop('SIGTERM').then(() => performance.now() - began);
    const handedOver = await untilTakenOver(store, keys, began);
    const exit = (await exited) ?? NaN;
    await start();
    await untilBalanced(store, 3, watches);
    await allWatched();
    void replicas[1]?.stop();
    const takenOver = await untilTakenOver(store, keys, performance.now());
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
        what: 'a replica is killed with -9: others have read all its job sets',
        measured: seconds(takenOver),
        target: `under ${TAKEN_OVER_MS / 1_000} s`,
        met: takenOver < TAKEN_OVER_MS,
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

/** Milliseconds from `began` until others have read every job set of the worker that is ending. Call it as it ends. */
async function untilTakenOver(store: Store, keys: readonly Key[], began: number): Promise<number> {
  const before = await assignmentsByWorker(store);
  const [seconds, micros] = (await store.redis.time()).map(Number);
  const since = (seconds ?? 0) * 1_000 + (micros ?? 0) / 1_000;
  const lister = new RedisJobLister(store.redis);
  const readAt = new Map<string, number>();
  return eventually(
    'its job sets are read by others',
    async () => {
      const views = await Promise.all(keys.map((key) => lister.read(key, [])));
      keys.forEach((key, i) => {
        const syncedAt = views[i]?.subscription?.syncedAt;
        if (syncedAt !== undefined && toMs(syncedAt) > since && !readAt.has(assignmentIdOf(key)))
          readAt.set(assignmentIdOf(key), performance.now() - began);
      });
      const now = await assignmentsByWorker(store);
      const gone = Array.from(before).find(([worker]) => !now.has(worker));
      const times = gone?.[1].map((id) => readAt.get(id));
      return times?.every((time) => time !== undefined) === true && Math.max(...times);
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
