import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { loadSettings } from '@ajs/config';
import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { Cursor, JobId, ArmadaTime } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { QueryMetrics, createLog } from '@ajs/observability';
import { ProcessModule } from '@ajs/runtime';
import { InterestStore, InterestRecorder, ReadRequestSender } from '@ajs/subscriptions';
import { unary } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { InterestModule } from '../interest/interest.module.js';
import { ServerTlsModule } from '../server-tls/server-tls.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { PolledJobs } from '../store/polled-jobs.js';
import { JOB_LISTER, JOB_SET_LISTER, NOTE_INTEREST, PROVISIONAL_JOBS, REDIS_READER } from '../tokens.js';
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
    { provide: PROVISIONAL_JOBS, useValue: store },
    { provide: REDIS_READER, useValue: undefined },
    { provide: PolledJobs, useValue: new PolledJobs() },
  ],
  exports: [PolledJobs, JOB_LISTER, JOB_SET_LISTER, PROVISIONAL_JOBS, REDIS_READER],
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
    expect((await metrics.legacyPolls.get()).values).toContainEqual(
      expect.objectContaining({ labels: { answer: 'RUNNING' }, value: 1 }),
    );
    const calls = (await metrics.callSeconds.get()).values.filter(({ metricName }) =>
      metricName?.endsWith('_count'),
    );
    expect(calls).toMatchObject([{ labels: { api: 'legacy' }, value: 1 }]);
  });
});
