import { addMs } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { monotonicNow, systemClock } from '@ajs/platform';
import { RedisServer, SURVIVES_KILL, eventually } from '@ajs/testing';
import { InterestStore } from '../interest/interest-store.js';
import { scriptedBudgets } from '../testing/scripted-budgets.js';
import { ScriptedSource } from '../testing/scripted-source.js';
import { scriptedWorker } from '../testing/scripted-worker.js';
import { WorkQueue } from './work-queue.js';

const LIFETIME = { followFor: 60_000, followUnfinishedFor: 120_000, keepFor: 180_000 };
const ignore = (): void => undefined;

let server: RedisServer;
const clients: RedisClient[] = [];

beforeAll(async () => {
  server = await RedisServer.start(SURVIVES_KILL);
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server.stop();
});

function connect(role: 'writer' | 'work-queue'): RedisClient {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ignore);
  clients.push(client);
  return client;
}

/** A worker that watches one job set, and what its loops say. */
async function watching(jobSetId: string) {
  const redis = connect('writer');
  const source = new ScriptedSource();
  source.endsReads = true;
  let aheadMs = 0;
  const worker = scriptedWorker(redis, {
    connection: connect('work-queue'),
    source,
    ...scriptedBudgets(redis, jobSetId, LIFETIME),
    clock: { ...systemClock, monotonic: () => addMs(monotonicNow(), aheadMs) },
  });
  const key = { queue: 'q', jobSetId };
  await new InterestStore(redis).record(key);
  const queue = new WorkQueue(connect('work-queue'), ignore);
  await queue.enqueue([key]);
  await eventually('the job set is watched', () => source.live.some(({ request }) => request.watch));
  return {
    standstill: (loop: string): string | undefined => worker.loops[loop]?.(),
    pass: (ms: number): void => void (aheadMs += ms),
    stop: async () => {
      await worker.stop();
      await queue.close();
      await redis.flushall();
    },
  };
}

describe('the loops of a worker', () => {
  it.each(['assignmentFetch', 'stalledCheck', 'subscriptions'])('report progress: %s', async (loop) => {
    const { standstill, pass, stop } = await watching(loop);
    expect(standstill(loop)).toBeUndefined();
    pass(90_000);
    expect(standstill(loop)).toMatch(/^(1 of 1: )?no progress for 9\d s$/);
    await eventually('it reports the next round', () => standstill(loop) === undefined);
    await stop();
  });

  it('say why they stand still while Redis is unavailable, and go on when it is back', async () => {
    const { standstill, pass, stop } = await watching('s');
    await server.kill();
    await eventually('it says why', () => {
      pass(1_000);
      return standstill('assignmentFetch')?.includes('ECONNREFUSED');
    });
    expect(standstill('stalledCheck')).toContain('ECONNREFUSED');
    await server.restart();
    await eventually(
      'they go on',
      () => standstill('assignmentFetch') === undefined && standstill('stalledCheck') === undefined,
      20_000,
    );
    await stop();
  });
});
