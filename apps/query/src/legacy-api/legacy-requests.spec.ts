import {
  HealthCheckResponse_ServingStatus as Serving,
  JobServiceRequest,
  JobServiceResponse_State as State,
} from '@ajs/contracts/jobservice/jobservice';
import type { Verdict } from '@ajs/auth';
import { ArmadaTime } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import type { OkTrailers } from '../grpc/response.js';
import { jest } from '@jest/globals';
import { Access } from '../access/access.js';
import { testCaller } from '../testing/test-caller.js';
import { callUnary } from '../testing/unary-call.js';
import { EndedPolls } from './ended-polls.js';
import type { Answer, JobStatusQuery } from './job-status-query.js';
import { legacyJobService, type LegacyOptions } from './legacy-job-service.js';

const REQUEST = { queue: 'q', jobSetId: 's', jobId: 'j' };
const LIVE = { state: 'live', reason: '' } as const;

let verdict: Verdict;
let answer: Answer;
let asked: number;
let now: number;
let answered: Parameters<LegacyOptions['answered']>[];

beforeEach(() => {
  verdict = 'yes';
  answer = { kind: 'resolved', status: { state: 'RUNNING', changedAt: ArmadaTime(1) } };
  asked = 0;
  now = 0;
  answered = [];
  jest.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => void jest.restoreAllMocks());

const service = (armadaIsHealthy = true) =>
  legacyJobService({
    access: new Access({
      authorizer: { identityOf: () => undefined, authenticate: () => undefined, mayWatch: () => verdict },
      jobsNeedWatch: false,
      queueNamesNeedWatch: false,
      waiting: (_, found) => found(),
    }),
    query: {
      run: () => {
        asked++;
        now += 250;
        return Promise.resolve(answer);
      },
    } as unknown as JobStatusQuery,
    endedPolls: new EndedPolls(10),
    noteInterest: () => undefined,
    armadaIsHealthy: () => Promise.resolve(armadaIsHealthy),
    answered: (...args) => answered.push(args),
    refused: () => undefined,
    redisFailed: () => undefined,
    internalError: () => undefined,
  });

describe('a request of jobservice.JobService', () => {
  it.each([
    ['jobId', 'job_id'],
    ['jobSetId', 'job_set_id'],
    ['queue', 'queue'],
  ])('is invalid without %s, and nothing is looked up', async (key, field) => {
    expect(await callUnary(service().getJobStatus, { ...REQUEST, [key]: '' })).toEqual({
      error: {
        code: status.INVALID_ARGUMENT,
        details: `${field} is empty; job_id, job_set_id and queue must all be given`,
      },
    });
    expect(asked).toBe(0);
  });

  it('may have names as long as any of Armada', () => {
    const long = 'x'.repeat(1_024);
    const request = JobServiceRequest.encode({ queue: long, jobSetId: long, jobId: 'x'.repeat(63) }).finish();
    expect(service().getJobStatus.maxRequestBytes).toBeGreaterThanOrEqual(request.length);
  });

  it('of a queue that does not exist is judged by itself, however many such polls another caller makes', async () => {
    verdict = 'no-queue';
    const { getJobStatus } = service();
    const pollAs = (key: string, jobId: string) =>
      getJobStatus.answer({ ...REQUEST, jobId }, testCaller({ key }));
    await pollAs('a caller', 'j');
    for (let i = 0; i < 60_000; i++) void pollAs('flood', `${i}`);
    now += 15_000;
    expect(await pollAs('a caller', 'j')).toMatchObject({ response: { state: State.JOB_ID_NOT_FOUND } });
  });

  it('of a queue that does not exist is answered with CONNECTION_ERR until it has not existed for 15 s', async () => {
    verdict = 'no-queue';
    const { getJobStatus } = service();
    const young = {
      response: {
        state: State.CONNECTION_ERR,
        error: 'queue "q" does not exist in Armada; a new one is visible after up to 10 s',
      },
    };
    expect(await callUnary(getJobStatus, REQUEST)).toEqual(young);
    now += 14_999;
    expect(await callUnary(getJobStatus, REQUEST)).toEqual(young);
    now += 1;
    expect(await callUnary(getJobStatus, REQUEST)).toEqual({
      response: { state: State.JOB_ID_NOT_FOUND, error: '' },
    });
    expect(asked).toBe(0);
  });

  it('is measured, with the state that it was answered with', async () => {
    await callUnary(service().getJobStatus, REQUEST);
    expect(answered).toEqual([[State.RUNNING, 0.25]]);
  });

  it.each<[string, Answer, { state: State; error: string }]>([
    [
      'that it does not exist, without a text',
      { kind: 'absent', subscription: LIVE },
      { state: State.JOB_ID_NOT_FOUND, error: '' },
    ],
    [
      'CONNECTION_ERR with the reason where it is unresolved',
      { kind: 'unresolved', reason: 'not synced', subscription: LIVE },
      { state: State.CONNECTION_ERR, error: 'not synced' },
    ],
  ])('of a job is answered with %s, and how its job set stands', async (_, of, response) => {
    answer = of;
    const trailers: (OkTrailers | undefined)[] = [];
    const { getJobStatus } = service();
    for (let i = 0; i < 2; i++)
      expect(await callUnary(getJobStatus, REQUEST, (received) => trailers.push(received))).toEqual({
        response,
      });
    expect(trailers[0]).toEqual({ 'grpc-status': status.OK, 'armada-job-set-subscription': 'live' });
    // Answers from one read share it.
    expect(trailers[1]).toBe(trailers[0]);
  });

  it('of a job whose job set is not followed is answered without trailing metadata', async () => {
    answer = { kind: 'unresolved', reason: 'not followed' };
    let trailers: OkTrailers | undefined;
    await callUnary(service().getJobStatus, REQUEST, (received) => (trailers = received));
    expect(trailers).toEqual({ 'grpc-status': status.OK });
  });

  it('for the health is answered with that of Armada', async () => {
    expect(await callUnary(service(true).health, {})).toEqual({
      response: { status: Serving.SERVING },
    });
    expect(await callUnary(service(false).health, {})).toEqual({
      response: { status: Serving.NOT_SERVING },
    });
  });
});
