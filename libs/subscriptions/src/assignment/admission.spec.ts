import { jest } from '@jest/globals';
import { createRedisClient, type ClientRole, type RedisClient } from '@ajs/job-store';
import { RedisServer, eventually } from '@ajs/testing';
import { Job } from 'bullmq';
import { AssignmentQuota, UpstreamQuota } from '../budget/upstream-quota.js';
import { InterestStore } from '../interest/interest-store.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { SuspendedAssignments, type Suspendable } from './suspended-assignments.js';
import { WORK_QUEUE, WorkQueue, assignmentIdOf } from './work-queue.js';

const HOUR = 3_600_000;
const LIFETIME = { followFor: HOUR, followUnfinishedFor: HOUR, keepFor: HOUR };
const ignore = (): void => undefined;
const jobSet = (n: number) => ({ queue: 'q', jobSetId: `s${n}` });

let server: RedisServer;
let redis: RedisClient;
let workQueue: WorkQueue;
/** What the keys of the work queue begin with. */
let queue: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  cleanups.push(() => server.stop());
  redis = connect('writer');
  queue = `${redis.ownKeys.workQueuePrefix}:${WORK_QUEUE}`;
  workQueue = new WorkQueue(connect('work-queue'), ignore);
  cleanups.push(() => workQueue.close());
});

afterEach(async () => {
  jest.restoreAllMocks();
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

function connect(role: ClientRole): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  cleanups.push(() => client.disconnect());
  return client;
}

function replica({
  lifetime = LIFETIME,
  ...numbers
}: Parameters<typeof scriptedBudgets>[3] & { lifetime?: typeof LIFETIME } = {}) {
  const source = new ScriptedSource();
  source.endsReads = true;
  const started: string[] = [];
  const failuresInARow: number[] = [];
  const budgets = scriptedBudgets(redis, 'a', lifetime, numbers);
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...budgets,
    observer: {
      ...SILENT_OBSERVER,
      watchStarted: ({ jobSetId }) => started.push(jobSetId),
      streamEnded: (_, __, ___, inARow) => failuresInARow.push(inARow),
    },
    rebalanceIntervalMs: 50,
  });
  cleanups.push(() => worker.stop());
  return { worker, source, started, failuresInARow, watches: budgets.watches };
}

async function poll(n: number): Promise<void> {
  await new InterestStore(redis).record(jobSet(n));
  await workQueue.enqueue([jobSet(n)]);
}

const reads = ({ opened }: ScriptedSource, n: number): number =>
  opened.filter(({ request }) => !request.watch && request.key.jobSetId === `s${n}`).length;

/** Another replica, which is alive and takes nothing, so that the one with watches has more than its share. */
async function another(watches: ReturnType<typeof replica>['watches']): Promise<void> {
  const other = scriptedBudgets(redis, 'b', LIFETIME).watches;
  other.start();
  cleanups.push(() => other.leave());
  await eventually('it has more than its share', () => watches.isAboveShare());
}

describe('an assignment', () => {
  it('is admitted by how many read, which those that watch do not, and as a new one the first time', async () => {
    const asked = jest.spyOn(UpstreamQuota.prototype, 'admissionDelay');
    const a = replica();
    await poll(1);
    await eventually('it is watched', () => a.watches.size === 1);
    asked.mockClear();
    asked.mockReturnValueOnce(100);
    await poll(2);
    await eventually('the other is watched, too', () => a.watches.size === 2);
    expect(asked.mock.calls.map(([, isNew]) => isNew)).toEqual([true, false]);
    // Below that where the machine stalled for so long that a lease was lost: a watch that is suspended counts as well.
    expect(Math.max(...asked.mock.calls.map(([reading]) => reading))).toBeLessThanOrEqual(0);
  });

  it('that was watched is admitted, however many read', async () => {
    jest.spyOn(UpstreamQuota.prototype, 'admissionDelay').mockReturnValue(HOUR);
    const a = replica();
    await new InterestStore(redis).record(jobSet(1));
    const id = assignmentIdOf(jobSet(1));
    const data = JSON.stringify({ ...jobSet(1), watched: true, timesStalled: 0 });
    await redis.hset(`${queue}:${id}`, {
      name: WORK_QUEUE,
      data,
      opts: '{}',
      timestamp: 1,
      delay: 0,
      priority: 0,
    });
    await redis.multi().lpush(`${queue}:wait`, id).zadd(`${queue}:marker`, 0, '0').exec();
    await eventually('it is watched again', () => a.started.includes('s1'));
  });

  it('for whose read a poll waits is admitted by a replica that has more than its share', async () => {
    const a = replica();
    for (let n = 0; n < 6; n++) await poll(n);
    await eventually('all are watched', () => a.watches.size === 6);
    await another(a.watches);
    await poll(7);
    // Again and again: a request counts for 5 s, which a machine may stall for.
    await eventually('it is read', () => {
      a.worker.requestRead(jobSet(7));
      return reads(a.source, 7) > 0;
    });
  });

  it('is not lost, however often its owner is', async () => {
    const a = replica();
    await poll(1);
    await eventually('it is watched', () => a.started.length > 0);
    for (let times = 0; times < 3; times++) {
      const before = a.started.length;
      await redis.del(`${queue}:${assignmentIdOf(jobSet(1))}:lock`);
      await eventually('it is watched again', () => a.started.length > before);
    }
  });

  it('is not lost where it cannot be given back', async () => {
    const a = replica({ watchBudget: 0, minIntervalMs: 100, maxIntervalMs: 100 });
    jest.spyOn(Job.prototype, 'moveToDelayed').mockRejectedValueOnce(new Error('Connection is closed.'));
    await poll(1);
    await eventually('it is read again', () => reads(a.source, 1) > 1);
  });

  it('is not suspended any more once it goes on', async () => {
    const take = jest.spyOn(SuspendedAssignments.prototype, 'take');
    const a = replica();
    await poll(1);
    await eventually('it is watched', () => a.started.length > 0);
    const id = assignmentIdOf(jobSet(1));
    await redis.del(`${queue}:${id}:lock`);
    await eventually('it goes on', () => a.started.length > 1);
    const [suspended] = take.mock.contexts as SuspendedAssignments<Suspendable>[];
    expect(suspended?.peek(id)).toBeUndefined();
  });

  it('counts the failures of its streams over those before it', async () => {
    const a = replica({ watchBudget: 0 });
    a.source.endsReads = false;
    await poll(1);
    for (const times of [1, 2, 3]) {
      const read = await eventually('it is read', () => a.source.live[0]);
      a.source.end(read, { kind: 'retry', reason: 'UNAVAILABLE: no' });
      await eventually('it has failed', () => a.failuresInARow.length === times);
    }
    expect(a.failuresInARow).toEqual([1, 2, 3]);
  });

  it('is wanted by how many unfinished jobs its job set has, while it is watched', async () => {
    const wanted = jest.spyOn(AssignmentQuota.prototype, 'isWanted');
    const a = replica();
    await poll(1);
    const watch = await eventually('it is watched', () => a.source.live.find(({ request }) => request.watch));
    watch.listener.message(running(5));
    await eventually('it counts', () => wanted.mock.lastCall?.[0] === 1);
  });
});
