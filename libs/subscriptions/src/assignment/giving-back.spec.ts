import { jest } from '@jest/globals';
import {
  RedisJobSink,
  createRedisClient,
  type ClientRole,
  type JobSink,
  type RedisClient,
} from '@ajs/job-store';
import { completesWithin } from '@ajs/platform';
import { RedisServer, eventually } from '@ajs/testing';
import { Job } from 'bullmq';
import { InterestStore } from '../interest/interest-store.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { Assignment } from './assignment.js';
import { Leases } from './leases.js';
import { SuspendedAssignments, type Suspendable } from './suspended-assignments.js';
import { WORK_QUEUE, WorkQueue, assignmentIdOf } from './work-queue.js';

const HOUR = 3_600_000;
const KEY = { queue: 'q', jobSetId: 's' };
const ID = assignmentIdOf(KEY);
const LIFETIME = { followFor: HOUR, followUnfinishedFor: HOUR, keepFor: HOUR };
const ignore = (): void => undefined;

let server: RedisServer;
let redis: RedisClient;
/** What the keys of the work queue begin with, and the key of the job set's lease. */
let queue: string;
let lock: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  cleanups.push(() => server.stop());
  redis = connect('writer');
  queue = `${redis.ownKeys.workQueuePrefix}:${WORK_QUEUE}`;
  lock = `${queue}:${ID}:lock`;
});

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
  jest.restoreAllMocks();
});

function connect(role: ClientRole): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  cleanups.push(() => client.disconnect());
  return client;
}

/** A replica that is given the job set, over a source that is fed by hand. */
async function assigned({ endsReads = true, ...options }: { endsReads?: boolean; sink?: JobSink } = {}) {
  const source = new ScriptedSource();
  source.endsReads = endsReads;
  const told: string[] = [];
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...scriptedBudgets(redis, 'a', LIFETIME),
    observer: {
      ...SILENT_OBSERVER,
      watchStarted: () => told.push('started'),
      watchEnded: (_, why) => told.push(why),
    },
    timing: { ...REFLECTOR_TIMING, checkSilentWatchAfterMs: HOUR },
    rebalanceIntervalMs: HOUR,
    ...options,
  });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= worker.stop());
  // Where the test has failed it may never stop.
  cleanups.push(() => completesWithin(3_000, stop()));
  const workQueue = new WorkQueue(connect('work-queue'), ignore);
  cleanups.push(() => workQueue.close());
  await new InterestStore(redis).record(KEY);
  await workQueue.enqueue([KEY]);
  const watch = () => eventually('it is watched', () => source.live.find(({ request }) => request.watch));
  return { source, told, stop, watch };
}

/** A store whose writes wait until they may go on. */
function heldSink(): { readonly sink: JobSink; readonly hold: () => () => void } {
  const real = new RedisJobSink(redis, {
    ttlSeconds: 1_000,
    onLost: ignore,
    onKept: ignore,
    onUnreadable: ignore,
  });
  let held = Promise.resolve();
  const sink: JobSink = {
    open: async (key) => {
      const writer = await real.open(key);
      const write = writer.write.bind(writer);
      return Object.assign(writer, {
        write: (batch: Parameters<typeof write>[0]) => held.then(() => write(batch)),
      });
    },
  };
  return {
    sink,
    hold: () => {
      let release = ignore;
      held = new Promise((resolve) => (release = resolve));
      return release;
    },
  };
}

describe('an assignment', () => {
  it('is served once where it is given again before its owner has noticed that its lease is lost', async () => {
    const { source, told, watch } = await assigned();
    await watch();
    const opened = source.opened.length;
    // As the check for stalled assignments does, and sooner than the next renewal.
    const given = redis.multi().del(lock).lrem(`${queue}:active`, 0, ID).lpush(`${queue}:wait`, ID);
    await given.zadd(`${queue}:marker`, 0, '0').exec();
    await eventually('it goes on', () => told.length === 3 || source.opened.length > opened);
    expect([told, source.opened.length]).toEqual([['started', 'lease-lost', 'started'], opened]);
  });

  it('is not moved by an owner that has lost its lease: it may be of another one by then', async () => {
    const moveToDelayed = jest.spyOn(Job.prototype, 'moveToDelayed');
    const { told, watch } = await assigned();
    await watch();
    const token = await redis.get(lock);
    await redis.del(lock);
    await eventually('it goes on', () => told.length === 3);
    expect(moveToDelayed.mock.calls.filter(([, tokenOfMove]) => tokenOfMove === token)).toEqual([]);
  });

  it('is followed anew where it was suspended for too long while its lease was being taken again', async () => {
    const { source, watch } = await assigned();
    const before = await watch();
    const keep = jest.spyOn(SuspendedAssignments.prototype, 'keep');
    const taking = jest.spyOn(Leases.prototype, 'take').mockImplementationOnce(function (
      this: Leases,
      ...args
    ) {
      // As its timer does.
      const [, suspended] = (keep.mock.calls[0] ?? []) as [id?: unknown, assignment?: Suspendable];
      suspended?.abandon();
      return this.take(...args);
    });
    await redis.del(lock);
    await eventually('its lease is taken again', () => taking.mock.calls.length > 0);
    expect(before.ended).toBe(true);
    const after = await watch();
    expect([after === before, source.live]).toEqual([false, [after]]);
  });

  it('is given back once what was read is written, and not before', async () => {
    const { sink, hold } = heldSink();
    const { source, told, stop, watch } = await assigned({ sink });
    const { listener } = await watch();
    const release = hold();
    listener.message(running(5));
    const stopped = stop();
    await eventually('it reads no more', () => source.live.length === 0);
    expect([told, await redis.exists(lock)]).toEqual([['started'], 1]);
    release();
    await stopped;
    expect([told, await redis.exists(lock)]).toEqual([['started', 'hand-over'], 0]);
  });

  it('is handed over also where its replica stops while its lease is being taken', async () => {
    let goOn = ignore;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    const taking = jest.spyOn(Leases.prototype, 'take').mockImplementationOnce(async function (
      this: Leases,
      ...args
    ) {
      await mayGoOn;
      return this.take(...args);
    });
    const told = jest.spyOn(Assignment.prototype, 'end');
    const { stop } = await assigned({ endsReads: false });
    await eventually('its lease is being taken', () => taking.mock.calls.length === 1);
    const stopped = stop();
    await eventually('it is to end', () => told.mock.calls.length === 1);
    goOn();
    expect(await completesWithin(30_000, stopped)).toBe(true);
    expect(await redis.zcard(`${queue}:delayed`)).toBe(1);
  }, 60_000);
});
