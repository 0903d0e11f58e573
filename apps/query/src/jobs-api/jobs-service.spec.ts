import {
  JobDetailsRequest,
  JobRunDetailsRequest,
  JobStatusRequest,
  JobStatusUsingExternalJobUriRequest,
} from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { Admission } from '../load/admission.js';
import { INTERNAL_ERROR_TEXT } from '../rpc-error.js';
import { callUnary } from '../testing/unary-call.js';
import { jobsService } from './jobs-service.js';
import { JobsApiHarness, jobRecord } from './testing/jobs-api-harness.js';

describe('api.Jobs over gRPC', () => {
  let h: JobsApiHarness;
  let answers: string[];
  let internalErrors: Error[];

  beforeEach(() => {
    h = new JobsApiHarness();
    answers = [];
    internalErrors = [];
  });

  const service = () =>
    jobsService({
      jobs: h.api,
      admission: new Admission({ working: 1, waiting: 1 }, () => undefined),
      access: { keyOf: () => 'a caller', authenticate: () => undefined },
      maxJobIds: 1_000,
      answered: (method, code, seconds) => {
        answers.push(`${method} ${status[code]}`);
        expect(seconds).toBeGreaterThan(0);
      },
      internalError: (error) => internalErrors.push(error),
    });
  const getJobStatus = (...jobIds: string[]) => callUnary(service().getJobStatus, { jobIds });

  it.each([
    ['getJobStatus', 'job_ids'],
    ['getJobDetails', 'job_ids'],
    ['getJobErrors', 'job_ids'],
    ['getJobRunDetails', 'run_ids'],
  ] as const)('rejects %s for too many ids before they are decoded', (method, field) => {
    const called = service()[method];
    const requestFor = (ids: number) =>
      Buffer.from(JobStatusRequest.encode({ jobIds: Array<string>(ids).fill('x') }).finish());
    expect(() => called.check?.(requestFor(1_000))).not.toThrow();
    expect(() => called.check?.(requestFor(1_001))).toThrow(
      expect.objectContaining({
        code: status.INVALID_ARGUMENT,
        details: `${field} has 1001 ids, more than the 1000 that one call may have (MAX_JOB_IDS); split the request`,
      }) as Error,
    );
  });

  it('takes requests with as many ids, and names, as long as any of Armada', () => {
    const { getJobDetails, getJobRunDetails, getJobStatusUsingExternalJobUri } = service();
    const ids = Array<string>(1_000).fill('x'.repeat(63));
    const details = { jobIds: ids, expandJobSpec: true, expandJobRun: true };
    const uri = { queue: 'q'.repeat(1_024), jobset: 's'.repeat(1_024), externalJobUri: 'u'.repeat(1_024) };
    for (const [{ maxRequestBytes }, request] of [
      [getJobDetails, JobDetailsRequest.encode(details)],
      [getJobRunDetails, JobRunDetailsRequest.encode({ runIds: ids })],
      [getJobStatusUsingExternalJobUri, JobStatusUsingExternalJobUriRequest.encode(uri)],
    ] as const) {
      expect(maxRequestBytes).toBeGreaterThanOrEqual(request.finish().length);
    }
  });

  it('answers, and counts the answer by method and code', async () => {
    await h.write({ j: jobRecord('RUNNING') });
    expect(await getJobStatus('j')).toEqual({ response: { jobIds: ['j'], states: [JobState.RUNNING] } });
    expect(answers).toEqual(['getJobStatus OK']);
  });

  it('answers an error of the call as it is', async () => {
    expect(await getJobStatus('')).toEqual({
      error: { code: status.INVALID_ARGUMENT, details: 'job_ids[0] is empty' },
    });
    expect(answers).toEqual(['getJobStatus INVALID_ARGUMENT']);
    expect(internalErrors).toEqual([]);
  });

  it('answers INTERNAL for a defect, without its text, and reports it', async () => {
    h.redisFailure = new TypeError('secret of the inside');
    expect(await getJobStatus('j')).toEqual({
      error: { code: status.INTERNAL, details: INTERNAL_ERROR_TEXT },
    });
    expect(answers).toEqual(['getJobStatus INTERNAL']);
    expect(internalErrors).toEqual([h.redisFailure]);
  });
});
