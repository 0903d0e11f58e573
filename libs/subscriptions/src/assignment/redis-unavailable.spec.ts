import { JobId, ArmadaTime } from '@ajs/job-state';
import { RedisJobLister, createRedisClient, type ClientRole, type RedisClient } from '@ajs/job-store';
import { completesWithin } from '@ajs/platform';
import { RedisServer, SURVIVES_KILL, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import type { AssignmentObserver } from './assignment-observer.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { ScriptedSource, aMessage, running } from '../testing/scripted-source.js';
import { WorkQueue } from './work-queue.js';

const HOUR = 3_600_000;
const SETS = Array.from({ length: 20 }, (_, n) => ({ queue: 'q', jobSetId: `s${n}` }));
const LIFETIME = { followFor: HOUR, followUnfinishedFor: HOUR, keepFor: HOUR };
const ignore = (): void => undefined;

let server: RedisServer;
let redis: RedisClient;
let lister: RedisJobLister;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start(SURVIVES_KILL);
  cleanups.push(() => server.stop());
  redis = connect('writer');
  // One for all polls, as in a query: it allocates its caches up front.
  lister = new RedisJobLister(redis);
});

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

function connect(role: ClientRole): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  cleanups.push(() => client.disconnect());
  return client;
}

/** One ingester's worker, over a source that is fed by hand. */
function replica() {
  const source = new ScriptedSource();
  const ended: string[] = [];
  const observer: AssignmentObserver = {
    ...SILENT_OBSERVER,
    watchEnded: (_, why) => ended.push(why),
  };
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...scriptedBudgets(redis, 'a', LIFETIME),
    observer,
    timing: { ...REFLECTOR_TIMING, checkSilentWatchAfterMs: HOUR },
    rebalanceIntervalMs: HOUR,
  });
  // Where the test has failed Redis is still down, and nothing can be handed over.
  cleanups.push(() => completesWithin(3_000, worker.stop()));
  return { worker, source, ended };
}

/** A replica that watches all job sets. */
async function watching() {
  const { worker, source, ended } = replica();
  const interest = new InterestStore(redis);
  for (const key of SETS) await interest.record(key);
  const workQueue = new WorkQueue(connect('work-queue'), ignore);
  cleanups.push(() => workQueue.close());
  await workQueue.enqueue(SETS);
  await eventually('all are read', () => source.live.length === SETS.length);
  for (const read of source.live) source.end(read, { kind: 'end', reason: '' });
  await eventually('all are watched', () => source.live.length === SETS.length);
  return { worker, source, ended, watches: source.live };
}

const stateOf = async (key: (typeof SETS)[number]) =>
  (await lister.read(key, [JobId('job')])).jobs.get(JobId('job'))?.state;

describe('assignments while Redis is unavailable for longer than their leases', () => {
  it('keep their streams open, and go on with them when it is back', async () => {
    const { worker, source, ended, watches } = await watching();
    for (const watch of watches) watch.listener.message(running(1));
    await eventually('all run', async () =>
      (await Promise.all(SETS.map(stateOf))).every((s) => s === 'RUNNING'),
    );
    const opened = source.opened.length;
    await server.kill();
    // A busy machine may have lost a lease before, and taken it again: its end is then announced twice.
    await eventually('all leases have run out', () => worker.size === 0);
    for (const watch of watches) {
      watch.listener.message(
        aMessage(2, { kind: 'succeeded', jobId: JobId('job'), at: ArmadaTime(2), placement: {} }),
      );
    }
    await eventually('they are unread', () => watches.every(({ paused }) => paused));
    await server.restart();
    await eventually(
      'all have ended',
      async () => (await Promise.all(SETS.map(stateOf))).every((state) => state === 'SUCCEEDED'),
      20_000,
    );
    expect(source.opened).toHaveLength(opened);
    expect(source.live).toEqual(watches);
    await eventually('they are read again', () => watches.every(({ paused }) => !paused));
    expect(new Set(ended)).toEqual(new Set(['lease-lost']));
  }, 40_000);
});
