import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  BatchGetJobsRequest,
  JobStatusServiceService,
  type BatchGetJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime } from '@ajs/job-state';
import { GrpcServer } from '../grpc/grpc-server.js';
import { FREE_PORT, PLAIN } from '../grpc/testing/grpc-test-options.js';
import { RedisReadError } from '../store/redis-read.js';
import { V2Harness, refOf } from './testing/v2-harness.js';
import { v2Failed, v2Service } from './v2-service.js';

const { batchGetJobs } = JobStatusServiceService;

/** The texts of the `google.rpc.ErrorInfo` in `grpc-status-details-bin`: its type, its reason, and its domain. */
function errorInfoOf({ metadata }: ServiceError): string[] {
  const bytesOf = (message: Uint8Array, field: number): Uint8Array => {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (number === field) return reader.bytes();
      reader.skip(wireType);
    }
    throw new Error(`there is no field ${field}`);
  };
  const [details] = metadata.get('grpc-status-details-bin');
  const any = bytesOf(details as Buffer, 3);
  const info = bytesOf(any, 2);
  return [bytesOf(any, 1), bytesOf(info, 1), bytesOf(info, 2)].map((bytes) => Buffer.from(bytes).toString());
}

describe('jobservice.v2 over gRPC', () => {
  let harness: V2Harness;
  let server: GrpcServer;
  let client: Client;
  let failure: Error | undefined;
  let methods: ReturnType<typeof v2Service>;
  const answered: string[] = [];
  const redisFailures: Error[] = [];
  beforeAll(async () => {
    harness = new V2Harness();
    methods = v2Service({
      api: harness.api,
      batchGetJobs: {
        decode: harness.batchGetJobs.decode,
        answer: (...call) =>
          failure === undefined ? harness.batchGetJobs.answer(...call) : Promise.reject(failure),
      },
      failed: v2Failed({ redisFailed: (error) => redisFailures.push(error), internalError: () => undefined }),
      answered: (method, code) => answered.push(`${method} ${status[code]}`),
    });
    server = new GrpcServer({ methods: Object.values(methods) }, PLAIN);
    client = new Client(`127.0.0.1:${await server.listen(FREE_PORT)}`, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const call = (request: Buffer): Promise<BatchGetJobsResponse | ServiceError> =>
    new Promise((resolve) =>
      client.makeUnaryRequest(
        batchGetJobs.path,
        (bytes: Buffer) => bytes,
        batchGetJobs.responseDeserialize,
        request,
        (error, response) => resolve(error ?? (response as BatchGetJobsResponse)),
      ),
    );
  const get = (refs: BatchGetJobsRequest['refs']): ReturnType<typeof call> =>
    call(Buffer.from(BatchGetJobsRequest.encode({ refs, maxAge: undefined }).finish()));

  it('answers, and counts its answers', async () => {
    expect(await get([refOf('j')])).toMatchObject({ results: [{ ref: refOf('j') }] });
    expect(answered.pop()).toBe('batchGetJobs OK');
  });

  it('shows how often a job failed, its external URI, and why its containers ended', async () => {
    const failure = { reason: 'exit 137', exitCodes: { main: 137 }, exitReasons: { main: 'OOMKilled' } };
    const known = { runNumber: 3, failedRuns: 2, failure, externalUri: 'airflow://x' };
    const lastEvent = { ms: 1, sequence: 0, index: 0, last: true };
    await harness.write({ known: { state: 'RUNNING', changedAt: ArmadaTime(1), lastEvent, ...known } });
    expect(await get([refOf('known')])).toMatchObject({
      results: [
        {
          result: {
            $case: 'job',
            value: {
              failedRuns: 2,
              externalUri: 'airflow://x',
              failure: { containers: [{ container: 'main', exitCode: 137, reason: 'OOMKilled' }] },
            },
          },
        },
      ],
    });
  });

  it.each([
    ['a request with too many refs, before it is decoded', 1_001, 'INVALID_REQUEST', status.INVALID_ARGUMENT],
    ['a request without refs', 0, 'INVALID_REQUEST', status.INVALID_ARGUMENT],
  ])('rejects %s with an ErrorInfo', async (_, count, reason, code) => {
    const error = (await get(Array.from({ length: count }, () => refOf('j')))) as ServiceError;
    expect(error.code).toBe(code);
    expect(errorInfoOf(error)).toEqual([
      'type.googleapis.com/google.rpc.ErrorInfo',
      reason,
      'armadaproject.io',
    ]);
  });

  it.each(['batchGetJobs', 'waitForJobs'] as const)(
    'takes the largest request of %s, and rejects one with more refs before it is decoded',
    (name) => {
      const ref = refOf('j'.repeat(63), { queue: 'q'.repeat(1_024), jobSetId: 's'.repeat(1_024) });
      const encoded = (count: number) =>
        BatchGetJobsRequest.encode({ refs: Array.from({ length: count }, () => ref), maxAge: undefined });
      const [largest, larger] = [1_000, 1_001].map((count) => Buffer.from(encoded(count).finish())) as [
        Buffer,
        Buffer,
      ];
      const method = methods[name];
      expect(method.maxRequestBytes).toBeGreaterThanOrEqual(largest.length);
      method.check?.(largest);
      expect(() => method.check?.(larger)).toThrow('more than the 1000');
    },
  );

  it('rejects at once while Redis is unavailable, and says so', async () => {
    failure = new RedisReadError('unavailable', new Error('Connection is closed.'));
    const error = (await get([refOf('j')])) as ServiceError;
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'Redis is unavailable; retry' });
    expect(errorInfoOf(error)[1]).toBe('REDIS_UNAVAILABLE');
    expect(redisFailures).toHaveLength(1);
    expect(answered.pop()).toBe('batchGetJobs UNAVAILABLE');
    failure = new TypeError('a defect with a secret');
    const defect = (await get([refOf('j')])) as ServiceError;
    expect(defect.code).toBe(status.INTERNAL);
    expect(defect.details).not.toContain('secret');
    expect(errorInfoOf(defect)[1]).toBe('INTERNAL');
    failure = undefined;
  });
});
