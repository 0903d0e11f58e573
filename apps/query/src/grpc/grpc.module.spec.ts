import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { loadSettings } from '@ajs/config';
import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import {
  JobStatusServiceService,
  type WatchJobSetResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { Cursor, JobId, ArmadaTime } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { QueryMetrics, createLog } from '@ajs/observability';
import { ProcessModule } from '@ajs/runtime';
import { InterestStore, InterestRecorder, ReadRequestSender } from '@ajs/subscriptions';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { InterestModule } from '../interest/interest.module.js';
import { ServerTlsModule } from '../server-tls/server-tls.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { PolledJobs } from '../store/polled-jobs.js';
import {
  JOB_LISTER,
  JOB_SET_CHANGES,
  JOB_SET_LISTER,
  NOTE_INTEREST,
  PROVISIONAL_JOBS,
  REDIS_READER,
} from '../tokens.js';
import { V2Module } from '../v2/v2.module.js';
import { GrpcModule } from './grpc.module.js';
import { GrpcServer } from './grpc-server.js';
import { FREE_PORT } from './testing/grpc-test-options.js';

const KEY = { queue: 'q', jobSetId: 's' };

const store = new MemoryJobStore();
/** Job sets that were polled. */
const polled: string[] = [];

@Module({
  providers: [
    { provide: JOB_LISTER, useValue: store },
    { provide: JOB_SET_LISTER, useValue: store },
    { provide: JOB_SET_CHANGES, useValue: store },
    { provide: PROVISIONAL_JOBS, useValue: store },
    { provide: REDIS_READER, useValue: undefined },
    { provide: PolledJobs, useValue: new PolledJobs() },
  ],
  exports: [PolledJobs, JOB_LISTER, JOB_SET_CHANGES, JOB_SET_LISTER, PROVISIONAL_JOBS, REDIS_READER],
})
class MemoryStoreModule {}

@Module({
  providers: [
    { provide: NOTE_INTEREST, useValue: ({ jobSetId }: typeof KEY) => polled.push(jobSetId) },
    { provide: InterestStore, useValue: { tagsIn: () => Promise.resolve([]) } },
    { provide: InterestRecorder, useValue: { refusal: () => undefined } },
    { provide: ReadRequestSender, useValue: { send: () => Promise.resolve() } },
  ],
  exports: [NOTE_INTEREST, InterestStore, InterestRecorder, ReadRequestSender],
})
class NotedInterestModule {}

let metrics: QueryMetrics;
let module: TestingModule;
let client: Client;

beforeAll(async () => {
  metrics = new QueryMetrics();
  const settings = loadSettings({ argv: [], env: { AUTH_MODE: 'anonymous' } });
  module = await Test.createTestingModule({
    imports: [
      ProcessModule.of({ settings, log: createLog('query', 'silent'), metrics }),
      ServerTlsModule.of(undefined),
      GrpcModule,
    ],
  })
    .overrideModule(JobStoreModule)
    .useModule(MemoryStoreModule)
    .overrideModule(InterestModule)
    .useModule(NotedInterestModule)
    .compile();
  await module.init();
  const port = await module.get(GrpcServer).listen(FREE_PORT);
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await module.close();
});

/** How many calls a histogram has seen, by its labels. */
async function countOf(
  histogram: Pick<QueryMetrics['waitSeconds'], 'get'>,
): Promise<{ labels: unknown; value: number }[]> {
  const { values } = await histogram.get();
  return values
    .filter(({ metricName }) => metricName?.endsWith('_count'))
    .map(({ labels, value }) => ({ labels, value }));
}

describe('the gRPC port', () => {
  it('answers a poll from whatever store the modules are given, notes the interest and counts the answer', async () => {
    const writer = await store.open(KEY);
    await writer.write({
      cursor: Cursor('1:0:0:1'),
      records: new Map([[JobId('j'), { state: 'RUNNING', runNumber: 1, changedAt: ArmadaTime(1) }]]),
      subscription: { state: 'live', reason: '' },
    });
    const { answer } = await unary(client, JobServiceService.getJobStatus, { ...KEY, jobId: 'j' });
    expect(answer.state).toBe(JobServiceResponse_State.RUNNING);
    expect(polled).toEqual(['s']);
    expect(await metrics.registry.metrics()).toContain('legacy_polls_total{answer="RUNNING"} 1\n');
    expect(await countOf(metrics.callSeconds)).toEqual([{ labels: { api: 'legacy' }, value: 1 }]);
  });

  it('streams a job set with the token that goes on in its trailers, and answers who waits for the same job', async () => {
    const key = { queue: 'q', jobSetId: 'watched' };
    const writer = await store.open(key);
    const write = (state: 'RUNNING' | 'SUCCEEDED') =>
      writer.write({
        cursor: Cursor('1:0:0:1'),
        records: new Map([[JobId('w'), { state, runNumber: 1, changedAt: ArmadaTime(1) }]]),
        subscription: { state: 'live', reason: '' },
      });
    await write('RUNNING');
    const { path, requestSerialize, responseDeserialize } = JobStatusServiceService.watchJobSet;
    const request = { queue: key.queue, jobSet: key.jobSetId, resumeToken: '', onlyTerminal: false };
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    const told: WatchJobSetResponse[] = [];
    stream.on('data', (response: WatchJobSetResponse) => told.push(response));
    const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
    await eventually('the snapshot', () => told.length === 2);
    const waiting = unary(client, JobStatusServiceService.waitForJobs, {
      refs: [{ queue: key.queue, jobSet: key.jobSetId, jobId: 'w' }],
      condition: 0,
      states: [],
      count: 0,
      maxWait: undefined,
    });
    await eventually('it waits', async () =>
      (await metrics.openCalls.get()).values.some(
        ({ labels, value }) => labels.method === 'waitForJobs' && value === 1,
      ),
    );
    await write('SUCCEEDED');
    expect((await waiting).answer.satisfied).toBe(true);
    await eventually('the change', () => told.length === 3);
    expect(told.map(({ event }) => event?.$case)).toEqual(['job', 'snapshotEnd', 'job']);
    // As when the process stops.
    module.get(V2Module).onModuleDestroy();
    const error = await ended;
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(error.metadata.get('resume-token')).toEqual([told.at(-1)?.resumeToken]);

    expect((await metrics.v2Calls.get()).values).toMatchObject([
      { labels: { method: 'waitForJobs', code: 'OK' }, value: 1 },
      { labels: { method: 'watchJobSet', code: 'UNAVAILABLE' }, value: 1 },
    ]);
    expect((await metrics.openCalls.get()).values).toMatchObject([
      { labels: { method: 'watchJobSet' }, value: 0 },
      { labels: { method: 'waitForJobs' }, value: 0 },
    ]);
    // How long a caller waits says nothing of how fast it was answered.
    expect(await countOf(metrics.waitSeconds)).toEqual([{ labels: {}, value: 1 }]);
    expect(await countOf(metrics.callSeconds)).toEqual([{ labels: { api: 'legacy' }, value: 1 }]);
  });
});
