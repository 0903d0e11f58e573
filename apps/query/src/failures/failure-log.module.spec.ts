import { loadSettings } from '@ajs/config';
import { JobsService } from '@ajs/contracts/api/job';
import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { JobId, RedisTime } from '@ajs/job-state';
import type { JobLister } from '@ajs/job-store';
import { QueryMetrics, createLog } from '@ajs/observability';
import { ProcessModule } from '@ajs/runtime';
import { FakeArmada, RedisServer, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import { Test, type TestingModule } from '@nestjs/testing';
import { GrpcServer } from '../grpc/grpc-server.js';
import { FREE_PORT } from '../grpc/testing/grpc-test-options.js';
import { QueryModule } from '../query.module.js';
import { INTERNAL_ERROR_TEXT } from '../rpc-error.js';
import { JOB_LISTER } from '../tokens.js';

const KEY = { queue: 'q', jobSetId: 's' };
const REASON = 'the stored record cannot be read: a newer version of this service gave it state number 13';

describe('a query whose reads of the store fail', () => {
  let redis: RedisServer;
  let armada: FakeArmada;
  let query: TestingModule;
  let client: Client;
  let metrics: QueryMetrics;
  let read: JobLister['read'];

  beforeEach(async () => {
    redis = await RedisServer.start();
    armada = new FakeArmada();
    metrics = new QueryMetrics();
    const settings = loadSettings({
      argv: [],
      env: { REDIS_URL: redis.url, ARMADA_URL: await armada.listen('127.0.0.1:0'), AUTH_MODE: 'anonymous' },
    });
    const lister: JobLister = {
      read: (key, jobIds) => read(key, jobIds),
      locate: (jobIds) => Promise.resolve(new Map(jobIds.map((jobId) => [jobId, KEY]))),
    };
    query = await Test.createTestingModule({
      imports: [
        ProcessModule.of({ settings, log: createLog('query', 'silent'), metrics }),
        QueryModule.of(undefined),
      ],
    })
      .overrideProvider(JOB_LISTER)
      .useValue(lister)
      .compile();
    await query.init();
    client = new Client(
      `127.0.0.1:${await query.get(GrpcServer).listen(FREE_PORT)}`,
      credentials.createInsecure(),
    );
  });
  afterEach(async () => {
    client.close();
    await query.close();
    armada.stop();
    await redis.stop();
  });

  const poll = async () =>
    (await unary(client, JobServiceService.getJobStatus, { ...KEY, jobId: 'j' })).answer;
  const getJobStatus = () => unary(client, JobsService.getJobStatus, { jobIds: ['j'] });
  const countOf = async (name: 'internalErrors' | 'unreadableRecords' | 'redisErrors') =>
    (await metrics[name].get()).values.reduce((sum, { value }) => sum + value, 0);

  it('answers for a defect in both APIs as for one, and counts it as no error of Redis', async () => {
    read = () => Promise.reject(new TypeError('undefined is not a function'));
    expect(await poll()).toEqual({
      state: JobServiceResponse_State.CONNECTION_ERR,
      error: INTERNAL_ERROR_TEXT,
    });
    await expect(getJobStatus()).rejects.toMatchObject({
      code: status.INTERNAL,
      details: INTERNAL_ERROR_TEXT,
    });
    expect(await countOf('internalErrors')).toBe(2);
    expect(await countOf('redisErrors')).toBe(0);
  });

  it('answers for an unreadable record in both APIs with the reason, and counts it', async () => {
    read = () =>
      Promise.resolve({ now: RedisTime(1), jobs: new Map(), unreadable: new Map([[JobId('j'), REASON]]) });
    expect(await poll()).toEqual({
      state: JobServiceResponse_State.CONNECTION_ERR,
      error: `cannot resolve job "j": ${REASON}; upgrade the query replicas`,
    });
    await expect(getJobStatus()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining(REASON) as string,
    });
    expect(await countOf('unreadableRecords')).toBe(2);
    expect(await countOf('internalErrors')).toBe(0);
  });
});
