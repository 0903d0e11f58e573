import { toMs } from '@ajs/job-state';
import { RedisJobLister } from '@ajs/job-store';
import { assignmentIdOf } from '@ajs/subscriptions';
import { FakeArmada, eventually } from '@ajs/testing';
import { startApp, type Child } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { thousands, type Figure } from './figure.js';
import { askFor } from './interest.js';
import { startStore, type Store } from './store.js';

const PATIENCE_MS = 120_000;
const BALANCED_MS = 30_000;
const TAKEN_OVER_MS = 5_000;
const EXIT_MS = 1_000;
const GAP_MS = 2_000;
type Key = ReturnType<typeof jobSetOf>;

/** What becomes of job sets when a replica comes, is told to stop, and is killed. */
export async function benchHands(quick: boolean): Promise<Figure[]> {
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
    eventually('as many are watched as may be', () => armada.events.watches === watches, PATIENCE_MS);
  try {
    await start();
    await start();
    await askFor(store, keys);
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
        what: `a third replica has its share ${of}, within 10 %`,
        measured: seconds(balanced),
        aim: `under ${BALANCED_MS / 1_000} s`,
        met: balanced < BALANCED_MS,
      },
      {
        what: 'one is told to stop: it has ended',
        measured: seconds(exit),
        aim: `under ${EXIT_MS / 1_000} s`,
        met: exit < EXIT_MS,
      },
      {
        what: 'one is told to stop: others have read all that it held',
        measured: seconds(handedOver),
        aim: `under ${GAP_MS / 1_000} s`,
        met: handedOver < GAP_MS,
      },
      {
        what: 'one is killed with -9: others have read all that it held',
        measured: seconds(takenOver),
        aim: `under ${TAKEN_OVER_MS / 1_000} s`,
        met: takenOver < TAKEN_OVER_MS,
      },
    ];
  } finally {
    for (const child of replicas) await child.stop();
    armada.stop();
    await store.stop();
  }
}

/** Milliseconds until each of so many replicas holds its part, within 10 % or three. */
async function untilBalanced(store: Store, replicas: number, watches: number): Promise<number> {
  const began = performance.now();
  const fair = watches / replicas;
  await eventually(
    'each has its share',
    async () => {
      const held = Array.from((await turnsByWorker(store)).values(), (turns) => turns.length);
      return held.length === replicas && held.every((own) => Math.abs(own - fair) <= fair * 0.1 + 3);
    },
    PATIENCE_MS,
  );
  return performance.now() - began;
}

/** Milliseconds from `began` until the turns of the worker that is going have all been read by others. Call it as it goes. */
async function untilTakenOver(store: Store, keys: readonly Key[], began: number): Promise<number> {
  const before = await turnsByWorker(store);
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
      const now = await turnsByWorker(store);
      const gone = Array.from(before).find(([worker]) => !now.has(worker));
      const times = gone?.[1].map((turnId) => readAt.get(turnId));
      return times?.every((time) => time !== undefined) === true && Math.max(...times);
    },
    PATIENCE_MS,
  );
}

/** The turns that each worker has a lease of. */
async function turnsByWorker({ redis }: Store): Promise<Map<string, string[]>> {
  const locks = await redis.keys('{ajs}:follow:*:lock');
  const tokens = locks.length === 0 ? [] : await redis.mget(...locks);
  const turns = new Map<string, string[]>();
  locks.forEach((lock, i) => {
    const worker = tokens[i]?.split(':')[0];
    if (worker === undefined) return;
    turns.set(worker, [...(turns.get(worker) ?? []), lock.split(':')[2] ?? '']);
  });
  return turns;
}
