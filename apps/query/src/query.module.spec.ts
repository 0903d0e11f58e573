import type { ArmadaClient, ChannelPool } from '@ajs/armada-client';
import { loadSettings } from '@ajs/config';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import {
  HealthCheckResponse_ServingStatus as Serving,
  JobServiceResponse_State,
  JobServiceService,
} from '@ajs/contracts/jobservice/jobservice';
import type { RedisClient } from '@ajs/job-store';
import { QueryMetrics, createLog } from '@ajs/observability';
import { ARMADA, ProcessModule } from '@ajs/runtime';
import { InterestRecorder, InterestStore, WorkQueue } from '@ajs/subscriptions';
import { FakeArmada, RedisServer, eventually, recordCalls, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import { Test, type TestingModule } from '@nestjs/testing';
import { GrpcServer } from './grpc/grpc-server.js';
import { FREE_PORT } from './grpc/testing/grpc-test-options.js';
import { HttpCalls } from './http-api/http-calls.js';
import type { PassThrough } from './pass-through/pass-through.js';
import { QueryModule } from './query.module.js';
import { PASS_THROUGH, PERMISSION_CHANNELS, REDIS_READER } from './tokens.js';

const POLL = { queue: 'q', jobSetId: 's', jobId: 'j' };

let redis: RedisServer;
let armada: FakeArmada;
let metrics: QueryMetrics;
let query: TestingModule;
let client: Client;

beforeEach(async () => {
  redis = await RedisServer.start();
  armada = new FakeArmada();
  const settings = loadSettings({
    argv: [],
    env: {
      REDIS_URL: redis.url,
      ARMADA_URL: await armada.listen('127.0.0.1:0'),
      AUTH_MODE: 'anonymous',
      PASS_THROUGH: 'on',
      // Longer than it takes until the query is told to stop.
      FIRST_POLL_WAIT: '2s',
    },
  });
  metrics = new QueryMetrics();
  const context = { settings, log: createLog('query', 'silent'), metrics };
  query = await Test.createTestingModule({
    imports: [ProcessModule.of(context), QueryModule.of(undefined)],
  }).compile();
  await query.init();
  const port = await query.get(GrpcServer).listen(FREE_PORT);
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterEach(async () => {
  client.close();
  await query.close();
  armada.stop();
  await redis.stop();
});

/** The steps of the query's end, in the order in which they begin and finish. */
function stepsOfClosing(): string[] {
  const steps: string[] = [];
  recordCalls(steps, query.get(GrpcServer), 'stop', 'gRPC takes no more calls', 'gRPC calls are finished');
  recordCalls(steps, query.get(HttpCalls), 'stop', 'HTTP takes no more calls', 'HTTP calls are finished');
  recordCalls(steps, query.get<PassThrough>(PASS_THROUGH), 'close', 'pass-through disconnects');
  recordCalls(
    steps,
    query.get<ChannelPool>(PERMISSION_CHANNELS),
    'close',
    'the permission probe disconnects',
  );
  recordCalls(
    steps,
    query.get(InterestRecorder),
    'flushed',
    'the last interest is noted',
    'the last interest is written',
  );
  recordCalls(steps, query.get(WorkQueue), 'close', 'the work queue closes', 'the work queue is closed');
  recordCalls(steps, query.get<RedisClient>(REDIS_READER), 'disconnect', 'Redis disconnects');
  recordCalls(steps, query.get<ArmadaClient>(ARMADA), 'close', 'Armada disconnects');
  return steps;
}

describe('a query', () => {
  it('counts the answers of both older APIs by what they were, and measures them', async () => {
    const jobStates = async (...jobIds: string[]) =>
      (await unary(client, JobsService.getJobStatus, { jobIds })).answer.jobStates;
    const isInvalid = { code: status.INVALID_ARGUMENT };
    const invalid = unary(client, JobServiceService.getJobStatus, { ...POLL, jobId: '' });
    await expect(invalid).rejects.toMatchObject(isInvalid);
    expect(await jobStates('a', 'b')).toEqual({ a: JobState.UNKNOWN, b: JobState.UNKNOWN });
    await expect(jobStates('')).rejects.toMatchObject(isInvalid);
    const method = 'getJobStatus';
    expect((await metrics.jobsApiCalls.get()).values).toMatchObject([
      { labels: { method, code: 'OK' }, value: 1 },
      { labels: { method, code: 'INVALID_ARGUMENT' }, value: 1 },
    ]);
    const text = await metrics.registry.metrics();
    expect(text).toContain('legacy_polls_total{answer="INVALID_ARGUMENT"} 1\n');
    expect(text).toContain('call_duration_seconds_count{api="jobs"} 2\n');
  });

  it.each([
    ['SERVING', 'answers its own', (): void => undefined],
    ['NOT_SERVING', 'does not answer', (): void => armada.stop()],
  ] as const)('is %s to the legacy API where Armada %s', async (serving, _, happens) => {
    happens();
    expect((await unary(client, JobServiceService.health, {})).answer.status).toBe(Serving[serving]);
  });
});

describe('a query that stops', () => {
  it('finishes calls first, then writes what they left, and closes connections last', async () => {
    const steps = stepsOfClosing();
    const answer = unary(client, JobServiceService.getJobStatus, POLL).then(({ answer: { state } }) => {
      steps.push('the poll is answered');
      return state;
    });
    const interest = new InterestStore(query.get<RedisClient>(REDIS_READER));
    await eventually('the poll waits', async () => (await interest.age(POLL)) !== undefined);
    await query.close();
    expect(await answer).toBe(JobServiceResponse_State.CONNECTION_ERR);
    expect(steps).toEqual([
      'HTTP takes no more calls',
      'gRPC takes no more calls',
      'HTTP calls are finished',
      'the poll is answered',
      'gRPC calls are finished',
      'pass-through disconnects',
      'the permission probe disconnects',
      'the last interest is noted',
      'the last interest is written',
      'Armada disconnects',
      'the work queue closes',
      'the work queue is closed',
      'Redis disconnects',
    ]);
  });
});
