import {
  JobServiceResponse_State as State,
  type JobServiceResponse,
} from '@ajs/contracts/jobservice/jobservice';
import { ArmadaTime, RedisTime } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import type { OkTrailers } from '../grpc/response.js';
import { Access } from '../access/access.js';
import { INTERNAL_ERROR_TEXT, MessageTooLongError, RpcError } from '../rpc-error.js';
import { RedisReadError } from '../store/redis-read.js';
import { callUnary, type UnaryAnswer } from '../testing/unary-call.js';
import { EndedPolls } from './ended-polls.js';
import type { JobStatusQuery } from './job-status-query.js';
import { legacyJobService } from './legacy-job-service.js';

const access = new Access({
  authorizer: { identityOf: () => undefined, authenticate: () => undefined, mayWatch: () => 'yes' },
  jobsNeedWatch: false,
  queueNamesNeedWatch: false,
  waiting: (_, found) => found(),
});

describe('GetJobStatus of jobservice.JobService', () => {
  let redisFailures: Error[];
  let internalErrors: Error[];
  let refused: status[];
  let trailers: OkTrailers | undefined;

  beforeEach(() => {
    redisFailures = [];
    internalErrors = [];
    refused = [];
  });

  /** What a caller gets where the query rejects with `failure`. */
  const answerTo = (failure: Error): Promise<UnaryAnswer<JobServiceResponse>> =>
    answerOf(() => Promise.reject(failure));
  const answerOf = (run: JobStatusQuery['run']): Promise<UnaryAnswer<JobServiceResponse>> => {
    const service = legacyJobService({
      access,
      query: { run } as unknown as JobStatusQuery,
      endedPolls: new EndedPolls(10),
      noteInterest: () => undefined,
      armadaIsHealthy: () => Promise.resolve(true),
      answered: () => undefined,
      refused: (code) => refused.push(code),
      redisFailed: (error) => redisFailures.push(error),
      internalError: (error) => internalErrors.push(error),
    });
    return callUnary(
      service.getJobStatus,
      { queue: 'q', jobSetId: 's', jobId: 'j' },
      (received) => (trailers = received),
    );
  };

  const connectionError = (error: unknown) => ({ response: { state: State.CONNECTION_ERR, error } });

  it('answers CONNECTION_ERR with the cause where Redis cannot serve the read', async () => {
    const cause = new Error('Connection is closed.');
    expect(await answerTo(new RedisReadError('unavailable', cause))).toEqual(
      connectionError('Redis is unavailable; poll again'),
    );
    expect(await answerTo(new RedisReadError('denied', cause))).toEqual(
      connectionError(expect.stringMatching(/^Redis denies access to this service/)),
    );
    expect(redisFailures).toEqual([cause, cause]);
    expect(internalErrors).toEqual([]);
  });

  it('answers CONNECTION_ERR for a defect, names it as one and not as Redis’, and reports it', async () => {
    const defect = new TypeError('secret of the inside');
    expect(await answerTo(defect)).toEqual(connectionError(INTERNAL_ERROR_TEXT));
    expect(internalErrors).toEqual([defect]);
    expect(redisFailures).toEqual([]);
  });

  it.each([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED])(
    'answers CONNECTION_ERR with the reason for code %s, on which the operator would fail its task',
    async (code) => {
      expect(await answerTo(new RpcError(code, 'the reason'))).toEqual(connectionError('the reason'));
    },
  );

  it('answers CONNECTION_ERR where a limit of the moment is reached, and an error where the request is too long for ever', async () => {
    expect(await answerTo(new RpcError(status.RESOURCE_EXHAUSTED, 'busy'))).toEqual(connectionError('busy'));
    const error = { code: status.RESOURCE_EXHAUSTED, details: 'long' };
    expect(await answerTo(new MessageTooLongError('long'))).toEqual({ error });
    expect(refused).toEqual([status.RESOURCE_EXHAUSTED]);
  });

  it('answers an error of the caller as it is', async () => {
    const error = { code: status.PERMISSION_DENIED, details: 'permission denied for queue "q"' };
    expect(await answerTo(new RpcError(error.code, error.details))).toEqual({ error });
    expect(refused).toEqual([status.PERMISSION_DENIED]);
  });

  it('answers a state with the reason why it may be outdated, and without a text where none is needed', async () => {
    const job = { state: 'RUNNING', changedAt: ArmadaTime(1) } as const;
    const outdated = 'last known state, never synced';
    expect(await answerOf(() => Promise.resolve({ kind: 'resolved', status: job, outdated }))).toEqual({
      response: { state: State.RUNNING, error: outdated },
    });
    expect(await answerOf(() => Promise.resolve({ kind: 'resolved', status: job }))).toEqual({
      response: { state: State.RUNNING, error: '' },
    });
  });

  it('says in trailing metadata how the subscription stands, and why, in what gRPC can carry', async () => {
    const reason = `denied: ü\n${'x'.repeat(2_000)}`;
    const subscription = { state: 'denied', reason, syncedAt: RedisTime(Date.UTC(2026, 10, 24)) } as const;
    await answerOf(() => Promise.resolve({ kind: 'unresolved', reason: '', subscription }));
    expect(trailers).toEqual({
      'grpc-status': status.OK,
      'armada-job-set-subscription': 'denied',
      'armada-job-set-reason': `denied: ??${'x'.repeat(1_014)}`,
      'armada-job-set-synced-at': '2026-11-24T00:00:00.000Z',
    });
    await answerOf(() =>
      Promise.resolve({ kind: 'unresolved', reason: '', subscription: { state: 'live', reason: '' } }),
    );
    expect(trailers).toEqual({ 'grpc-status': status.OK, 'armada-job-set-subscription': 'live' });
  });

  it('says so again as soon as one part of it differs, and makes the same metadata once', async () => {
    const at = (ms: number) => RedisTime(Date.UTC(2026, 10, 24, 0, 0, 0, ms));
    const connecting = { state: 'connecting', reason: 'UNAVAILABLE', syncedAt: at(0) } as const;
    const told: (OkTrailers | undefined)[] = [];
    for (const subscription of [
      connecting,
      { ...connecting },
      { ...connecting, syncedAt: at(1) },
      { ...connecting, syncedAt: at(1), reason: '' },
      { ...connecting, syncedAt: at(1), reason: '', state: 'catching-up' as const },
      undefined,
    ]) {
      await answerOf(() =>
        Promise.resolve({
          kind: 'unresolved',
          reason: '',
          ...(subscription !== undefined && { subscription }),
        }),
      );
      told.push(trailers);
    }
    const values = (name: string) => told.map((ofAnswer) => ofAnswer?.[name]);
    const [first, second] = ['2026-11-24T00:00:00.000Z', '2026-11-24T00:00:00.001Z'];
    const [is, because] = ['connecting', 'UNAVAILABLE'];
    expect(values('armada-job-set-subscription')).toEqual([is, is, is, is, 'catching-up', undefined]);
    expect(values('armada-job-set-reason')).toEqual([
      because,
      because,
      because,
      undefined,
      undefined,
      undefined,
    ]);
    expect(values('armada-job-set-synced-at')).toEqual([first, first, second, second, second, undefined]);
    expect(told[1]).toBe(told[0]);
  });
});
