import { jest } from '@jest/globals';
import type { ArmadaClient } from '@ajs/armada-client';
import { loadSettings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import { IngesterMetrics, createLog } from '@ajs/observability';
import { ARMADA, ProcessModule, Readiness, type ProcessContext } from '@ajs/runtime';
import { InterestStore, JobSetWorker, RollbackDetector, Sweeper, WorkQueue } from '@ajs/subscriptions';
import { FakeArmada, RedisServer, eventually, recordCalls } from '@ajs/testing';
import { Worker } from 'bullmq';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { IngesterModule } from './ingester.module.js';
import { REDIS_WRITER } from './tokens.js';

const KEY = { queue: 'q', jobSetId: 's' };

let redis: RedisServer;
let armada: FakeArmada;
/** What was logged: level and text. */
let lines: string[];
let context: ProcessContext;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

beforeEach(async () => {
  armada = new FakeArmada();
  armada.state.openLog(KEY.queue, KEY.jobSetId);
  lines = [];
  const settings = loadSettings({
    argv: [],
    env: { REDIS_URL: redis.url, ARMADA_URL: await armada.listen('127.0.0.1:0') },
  });
  const log = createLog('ingester', 'info', {
    write: (line: string) => {
      const { level, msg } = JSON.parse(line) as { level: string; msg: string };
      lines.push(`${level} ${msg}`);
    },
  });
  context = { settings, log, metrics: new IngesterMetrics() };
});
afterEach(() => armada.stop());

const ingester = (): TestingModuleBuilder =>
  Test.createTestingModule({ imports: [ProcessModule.of(context), IngesterModule] });

async function started(builder: TestingModuleBuilder): Promise<TestingModule> {
  const module = await builder.compile();
  await module.init();
  return module;
}

/** The steps of an ingester's end, in the order in which they begin and end. */
function stepsOfClosing(module: TestingModule): string[] {
  const steps: string[] = [];
  recordCalls(steps, module.get(RollbackDetector), 'close', 'the rollback detector stops');
  recordCalls(steps, module.get(Sweeper), 'stop', 'the sweeper stops');
  recordCalls(steps, module.get(JobSetWorker), 'stop', 'the worker hands over', 'the worker has stopped');
  recordCalls(steps, module.get(WorkQueue), 'close', 'the work queue closes', 'the work queue is closed');
  recordCalls(steps, module.get<ArmadaClient>(ARMADA), 'close', 'Armada disconnects');
  recordCalls(steps, module.get<RedisClient>(REDIS_WRITER), 'disconnect', 'Redis disconnects');
  return steps;
}

describe('an ingester that stops', () => {
  it('hands over every assignment before the work queue and the connections close', async () => {
    const module = await started(ingester());
    const observer = await started(ingester().overrideProvider(JobSetWorker).useValue(idleWorker()));
    const steps = stepsOfClosing(module);
    await module.get(InterestStore).record(KEY);
    await module.get(WorkQueue).enqueue([KEY]);
    await eventually('the job set is assigned', () => module.get(JobSetWorker).size === 1);
    await module.close();
    expect(steps).toEqual([
      'the rollback detector stops',
      'the sweeper stops',
      'the worker hands over',
      'the worker has stopped',
      'the work queue closes',
      'the work queue is closed',
      'Armada disconnects',
      'Redis disconnects',
    ]);
    // It waits for the next worker, where one that was left behind would be thought to run.
    expect(await observer.get(WorkQueue).countDelayed()).toBe(1);
    await observer.close();
  });

  it('gives up the hand-over after 3 s, with a warning, and closes what else there is', async () => {
    const worker = { ...idleWorker(), stop: () => new Promise<void>(() => undefined) };
    const module = await started(ingester().overrideProvider(JobSetWorker).useValue(worker));
    const steps = stepsOfClosing(module);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
    try {
      const closed = module.close();
      await jest.advanceTimersByTimeAsync(3_000);
      await closed;
    } finally {
      jest.useRealTimers();
    }
    expect(lines).toContain(
      'warn could not hand over all assignments: Redis does not answer; other replicas take over when the leases expire',
    );
    expect(steps.at(-1)).toBe('Redis disconnects');
  });
});

describe('an ingester that runs', () => {
  it('is ready while each of its background loops goes on', async () => {
    const module = await started(ingester());
    await eventually('Redis is reached', async () => (await module.get(Readiness).report()).ready);
    const { checks } = await module.get(Readiness).report();
    expect(checks).toMatchObject({
      assignmentFetch: 'ok',
      stalledCheck: 'ok',
      leaseRenewal: 'ok',
      watchBudget: 'ok',
      subscriptions: 'ok',
      sweeper: 'ok',
      rollbackDetector: 'ok',
      armadaCredential: 'ok',
    });
    await module.close();
    // What was stopped does not stand still.
    expect(module.get(Sweeper).progress.standstill).toBeUndefined();
  });

  it("exits with 1, and names the loop, where BullMQ's worker has ended and does not run again", async () => {
    const exit = jest.spyOn(process, 'exit').mockReturnValue(undefined as never);
    const run = jest.spyOn(Worker.prototype, 'run').mockRejectedValue(new Error('it is closed'));
    try {
      const module = await started(ingester());
      await eventually('it exits', () => exit.mock.calls.length > 0, 30_000);
      expect(exit).toHaveBeenCalledWith(1);
      expect(lines).toContain(
        'fatal the background loop assignmentFetch ended and cannot be restarted; exiting',
      );
      await module.close();
    } finally {
      run.mockRestore();
      exit.mockRestore();
    }
  }, 40_000);
});

function idleWorker(): Pick<
  JobSetWorker,
  'start' | 'stop' | 'size' | 'owner' | 'heartbeat' | 'requestRead' | 'loops'
> {
  return {
    size: 0,
    owner: 'a',
    loops: {},
    start: () => undefined,
    stop: () => Promise.resolve(),
    heartbeat: () => undefined,
    requestRead: () => undefined,
  };
}
