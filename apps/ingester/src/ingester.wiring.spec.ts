import { jest } from '@jest/globals';
import type { MessageCounter } from '@ajs/armada-client';
import { loadSettings } from '@ajs/config';
import { ArmadaTime, Cursor, JobId, type JobState } from '@ajs/job-state';
import type { JobSetLife, JobSink, RedisClient } from '@ajs/job-store';
import { IngesterMetrics, createLog } from '@ajs/observability';
import { interestShard, jobSetTag } from '@ajs/redis-keys';
import { ARMADA, ProcessModule, REPLICA_ID } from '@ajs/runtime';
import {
  InterestStore,
  JobSetWorker,
  ReadBudget,
  RollbackDetector,
  Sweeper,
  UpstreamQuota,
  WorkQueue,
  assignmentIdOf,
} from '@ajs/subscriptions';
import { FakeArmada, RedisServer, eventually } from '@ajs/testing';
import { Test, type TestingModule } from '@nestjs/testing';
import { IngesterModule } from './ingester.module.js';
import { JOB_SET_LIFE, JOB_SINK, LIFETIME, REDIS_WRITER } from './tokens.js';

const KEY = { queue: 'q', jobSetId: 's' };
const HOUR_S = 3_600;
const ignore = (): void => undefined;

let server: RedisServer;
let armada: FakeArmada;
let module: TestingModule;
let metrics: IngesterMetrics;
/** What was logged: level and text. */
let lines: string[];

beforeEach(async () => {
  server = await RedisServer.start();
  armada = new FakeArmada();
  armada.state.openLog(KEY.queue, KEY.jobSetId);
  metrics = new IngesterMetrics();
  lines = [];
});
afterEach(async () => {
  jest.restoreAllMocks();
  await module.close();
  armada.stop();
  await server.stop();
});

async function start(env: Readonly<Record<string, string>> = {}, instead?: unknown): Promise<void> {
  const settings = loadSettings({
    argv: [],
    env: { REDIS_URL: server.url, ARMADA_URL: await armada.listen('127.0.0.1:0'), ...env },
  });
  const log = createLog('ingester', 'info', {
    write: (line: string) => {
      const { level, msg } = JSON.parse(line) as { level: string; msg: string };
      lines.push(`${level} ${msg}`);
    },
  });
  const builder = Test.createTestingModule({
    imports: [ProcessModule.of({ settings, log, metrics }), IngesterModule],
  });
  if (instead !== undefined) builder.overrideProvider(ARMADA).useValue(instead);
  module = await builder.compile();
  await module.init();
}

const redis = (): RedisClient => module.get<RedisClient>(REDIS_WRITER);

const quota = () =>
  module.get(UpstreamQuota).quotaOf({
    assignmentId: assignmentIdOf(KEY),
    key: KEY,
    wasWatched: false,
    holder: { watchGranted: ignore, watchRefused: ignore, watchRevoked: ignore },
  });

async function poll(): Promise<void> {
  await module.get(InterestStore).record(KEY);
  await module.get(WorkQueue).enqueue([KEY]);
}

describe('an ingester', () => {
  it('keeps job sets as long as its settings say', async () => {
    await start({ FOLLOW_AFTER_POLL: '1m', FOLLOW_UNFINISHED_AFTER_POLL: '2m', DELETE_AFTER_POLL: '1h' });
    expect(module.get(LIFETIME)).toEqual({
      followFor: 60_000,
      followUnfinishedFor: 120_000,
      keepFor: 3_600_000,
    });
    const writer = await module.get<JobSink>(JOB_SINK).open(KEY);
    await writer.write({
      cursor: Cursor(''),
      records: new Map(),
      subscription: { state: 'live', reason: '' },
    });
    const meta = redis().ownKeys.metaKey(KEY);
    const isKept = async (): Promise<void> => {
      // Twice as long, and a day.
      const seconds = await redis().ttl(meta);
      expect(seconds).toBeGreaterThan(25 * HOUR_S);
      expect(seconds).toBeLessThanOrEqual(26 * HOUR_S);
    };
    await isKept();
    await redis().hdel(meta, 'renewed');
    await redis().expire(meta, 60);
    await module.get<JobSetLife>(JOB_SET_LIFE).touch(KEY);
    await isKept();
  });

  it('says what became of job sets whose keys Redis lost, and of ends that it would have to replace', async () => {
    await start();
    const sink = module.get<JobSink>(JOB_SINK);
    const writes = async (state: JobState): Promise<void> => {
      const writer = await sink.open(KEY);
      const record = { state, changedAt: ArmadaTime(0), runNumber: 1 };
      await writer.write({
        cursor: Cursor(''),
        records: new Map([[JobId('job'), record]]),
        subscription: { state: 'live', reason: '' },
      });
    };
    await writes('SUCCEEDED');
    await writes('RUNNING');
    const errors = (): string[] => lines.filter((line) => line.startsWith('error'));
    const kept = 'error refused to change the state of terminal jobs; kept the first state';
    expect(errors()).toEqual([kept]);
    for (const key of await redis().keys('ajs:{q/s}*:r*')) await redis().del(key);
    await sink.open(KEY);
    expect(errors()).toEqual([
      kept,
      'error Redis lost keys of a job set; reading it again from the beginning',
    ]);
  });

  it('shows how many job sets are in each state, and none in the states that none is in any more', async () => {
    await start({ WATCH_BUDGET: '0' });
    const states = async () => (await metrics.jobSets.get()).values.map(({ labels }) => labels.state);
    await module.get(InterestStore).record(KEY);
    await module.get(Sweeper).sweep();
    expect(await states()).toHaveLength(1);
    await redis().del(redis().ownKeys.format({ kind: 'interest', shard: interestShard(KEY) }));
    await module.get(Sweeper).sweep();
    expect(await states()).toEqual([]);
  });

  it('looks as often as its settings say whether what it watches is still polled', async () => {
    await start({ REBALANCE_INTERVAL: '1s' });
    const worker = module.get(JobSetWorker);
    await poll();
    await eventually('it is watched', () => armada.events.streams === 1 && worker.size === 1);
    await redis().del(redis().ownKeys.format({ kind: 'interest', shard: interestShard(KEY) }));
    await eventually('it is followed no more', () => worker.size === 0, 60_000);
  }, 90_000);

  it('shows others that it is connected, reports who owns a job set, and counts what it reads and follows', async () => {
    await start();
    const channel = redis().ownKeys.ownerChannel(module.get(JobSetWorker).owner);
    await eventually('it is connected', async () => (await redis().pubsub('CHANNELS', channel)).length === 1);
    await poll();
    await eventually(
      'the sweep has counted it',
      async () =>
        (await metrics.jobSets.get()).values.some(
          ({ labels, value }) => labels.state === 'live' && value === 1,
        ),
      60_000,
    );
    expect((await metrics.upstreamReads.get()).values[0]?.value).toBeGreaterThan(0);
    const owner = await redis().hget(redis().ownKeys.metaKey(KEY), 'owner');
    expect(owner).toBe(module.get<string>(REPLICA_ID));
  }, 90_000);

  it('has its part of the reads of all replicas, and plans no more', async () => {
    await start({ UPSTREAM_READS_PER_SECOND: '30' });
    const reads = module.get(ReadBudget);
    await eventually('it is alone', () => reads.perSecond() === 30);
    await eventually('there is another one', async () => {
      const [seconds] = await redis().time();
      await redis().hset(redis().ownKeys.format({ kind: 'replicas' }), 'another', `${seconds}000 0 0 0`);
      return reads.perSecond() === 15;
    });
    const planned = Array.from({ length: 48 }, () => quota().scheduleRead(0));
    // Twelve cold ones in a second.
    expect(Math.max(...planned)).toBeGreaterThan(2_900);
  });

  it('reads job sets without a watch no more often, and no more rarely, than its settings say', async () => {
    await start({ WATCH_BUDGET: '0', MIN_READ_INTERVAL: '7s', MAX_READ_INTERVAL: '20s' });
    const readInMs = async (pollAgeMs: number): Promise<number> => {
      const shard = redis().ownKeys.format({ kind: 'interest', shard: interestShard(KEY) });
      await redis().zadd(shard, Date.now() - pollAgeMs, jobSetTag(KEY));
      const cursor = Cursor(`${Date.now() - pollAgeMs}:0:0:1`);
      const step = await quota().nextStep(() => ({ cursor, unfinished: 0, eventsPerMinute: 0 }));
      return typeof step === 'object' ? step.readInMs : NaN;
    };
    const [afterPoll, quiet] = [await readInMs(0), await readInMs(300_000)];
    expect(afterPoll).toBeGreaterThanOrEqual(7_000);
    expect(afterPoll).toBeLessThan(8_500);
    expect(quiet).toBeGreaterThanOrEqual(20_000);
    expect(quiet).toBeLessThan(21_500);
  });

  it('reads every job set again once Redis has lost writes, and says so', async () => {
    await start();
    const heartbeat = jest.spyOn(module.get(JobSetWorker), 'heartbeat');
    const promoteAll = jest.spyOn(module.get(WorkQueue), 'promoteAll');
    const replicaId = module.get<string>(REPLICA_ID);
    const key = redis().ownKeys.format({ kind: 'rollback', group: 0, replicaId });
    await eventually('Redis was looked at', async () => Number(await redis().get(key)) > 0);
    heartbeat.mockClear();
    await redis().set(key, -5);
    await eventually('it is noticed', async () => {
      await module.get(RollbackDetector).check();
      return promoteAll.mock.calls.length > 0;
    });
    expect(heartbeat).toHaveBeenCalled();
    expect(lines).toContain('warn Redis lost writes; reading every job set again');
  });

  it('counts the messages of Armada that it does not understand', async () => {
    let counter: MessageCounter | undefined;
    const events = (one: MessageCounter): object => {
      counter = one;
      return {};
    };
    await start({}, { events, jobs: {}, health: () => Promise.resolve(), close: ignore });
    counter?.unknownKind();
    counter?.malformed();
    counter?.malformed();
    const skipped = (await metrics.skippedMessages.get()).values.map(({ labels, value }) => [
      labels.kind,
      value,
    ]);
    expect(skipped).toEqual([
      ['unknown', 1],
      ['malformed', 2],
    ]);
  });
});
