import { descriptorSet } from '@ajs/contracts';
import { JobDetails, JobRunState, JobsService, type JobDetailsResponse } from '@ajs/contracts/api/job';
import { Job, JobState, SubmitService } from '@ajs/contracts/api/submit';
import type { JsonValue } from '@bufbuild/protobuf';
import { JsonApi } from './json-api.js';

const api = new JsonApi(descriptorSet);
const jobStatus = api.method(JobsService.getJobStatus);
const jobDetails = api.method(JobsService.getJobDetails);

const NOTHING = Buffer.alloc(0);

function details(): JobDetailsResponse {
  const empty = JobDetails.decode(NOTHING);
  return {
    jobDetails: {
      j1: {
        ...empty,
        jobId: 'j1',
        queue: 'q',
        state: JobState.RUNNING,
        submittedTs: { seconds: '1785500000', nanos: 120_000_000 },
        lastTransitionTs: { seconds: '0', nanos: 0 },
        jobSpec: {
          ...Job.decode(NOTHING),
          id: 'j1',
          priority: 1.5,
          labels: { a: 'b', none: '' },
          podSpec: Buffer.from([1, 2]),
          podSpecs: [Buffer.from([1, 2])],
        },
        jobRuns: [
          {
            runId: 'r1',
            jobId: 'j1',
            state: JobRunState.RUN_STATE_RUNNING,
            cluster: '',
            node: '',
            leasedTs: { seconds: '1785500001', nanos: 0 },
            pendingTs: undefined,
            startedTs: undefined,
            finishedTs: undefined,
            ingressAddresses: { 8080: 'http://here' },
          },
        ],
      },
      j2: empty,
    },
  };
}

describe('an answer as Go’s JSON', () => {
  it('has enums as numbers, times as seconds and nanos, and no zero values outside of maps', () => {
    expect(jobDetails.writeResponse(details(), 'go')).toEqual({
      jobDetails: {
        j1: {
          jobId: 'j1',
          queue: 'q',
          state: 2,
          submittedTs: { seconds: 1785500000, nanos: 120000000 },
          lastTransitionTs: {},
          jobSpec: { id: 'j1', priority: 1.5, labels: { a: 'b', none: '' } },
          jobRuns: [
            {
              runId: 'r1',
              jobId: 'j1',
              state: 3,
              leasedTs: { seconds: 1785500001 },
              ingressAddresses: { '8080': 'http://here' },
            },
          ],
        },
        j2: {},
      },
    });
    expect(jobStatus.writeResponse({ jobStates: { a: JobState.QUEUED } }, 'go')).toEqual({
      jobStates: { a: 0 },
    });
    expect(jobStatus.writeResponse({ jobStates: {} }, 'go')).toEqual({});
  });

  it('shows a state that is newer than we are', () => {
    expect(jobStatus.writeResponse({ jobStates: { a: 99 as JobState } }, 'go')).toEqual({
      jobStates: { a: 99 },
    });
  });
});

describe('an answer as JSON of proto3', () => {
  it('has enums by name, times as RFC 3339, and no defaults', () => {
    expect(jobDetails.writeResponse(details(), 'proto3')).toEqual({
      jobDetails: {
        j1: {
          jobId: 'j1',
          queue: 'q',
          state: 'RUNNING',
          submittedTs: '2026-07-31T12:13:20.120Z',
          lastTransitionTs: '1970-01-01T00:00:00Z',
          jobSpec: { id: 'j1', priority: 1.5, labels: { a: 'b', none: '' } },
          jobRuns: [
            {
              runId: 'r1',
              jobId: 'j1',
              state: 'RUN_STATE_RUNNING',
              leasedTs: '2026-07-31T12:13:21Z',
              ingressAddresses: { '8080': 'http://here' },
            },
          ],
        },
        j2: {},
      },
    });
    expect(jobStatus.writeResponse({ jobStates: { a: JobState.QUEUED } }, 'proto3')).toEqual({
      jobStates: { a: 'QUEUED' },
    });
    expect(jobStatus.writeResponse({ jobStates: {} }, 'proto3')).toEqual({});
  });
});

describe('a request', () => {
  it.each<[string, JsonValue]>([
    ['camelCase', { jobIds: ['a'], expandJobSpec: true, expandJobRun: false }],
    ['camelCase in any letter case', { JOBIDS: ['a'], expandjobspec: true }],
    ['the names of the proto', { job_ids: ['a'], expand_job_spec: true }],
    [
      'what we do not know',
      { jobIds: ['a'], expandJobSpec: true, expandJobMore: { deep: [1] }, job__ids: 1 },
    ],
    ['null for what is absent', { jobIds: ['a'], expandJobSpec: true, expandJobRun: null }],
    [
      'several names of one field, of which the last wins',
      { jobIds: ['b'], job_ids: ['a'], expandJobSpec: true },
    ],
  ])('may hold %s', (_name, json) => {
    expect(jobDetails.readRequest(json)).toEqual({ jobIds: ['a'], expandJobSpec: true, expandJobRun: false });
  });

  it('may name enum values or number them', () => {
    const cancelJobSet = api.method(SubmitService.cancelJobSet);
    expect(cancelJobSet.readRequest({ filter: { states: ['RUNNING', 2, 'QUEUED'] } }).filter).toEqual({
      states: [JobState.RUNNING, JobState.RUNNING, JobState.QUEUED],
    });
  });

  it('may be null, or hold nothing', () => {
    for (const json of [null, {}]) expect(jobStatus.readRequest(json)).toEqual({ jobIds: [] });
  });

  it.each<[JsonValue, RegExp]>([
    [{ jobIds: 'a' }, /JobDetailsRequest\.job_ids.* expected Array, got "a"/],
    [{ jobIds: ['a', 1] }, /JobDetailsRequest\.job_ids.* item #2.* expected string, got 1/],
    [{ jobIds: ['a', null] }, /JobDetailsRequest\.job_ids.* item must not be null/],
    [{ expandJobRun: 'true' }, /JobDetailsRequest\.expand_job_run.* expected boolean, got "true"/],
    [['a'], /JobDetailsRequest/],
    ['a', /JobDetailsRequest/],
  ])('with a value of a wrong type is refused with its place (%j)', (json, refusal) => {
    expect(() => jobDetails.readRequest(json)).toThrow(refusal);
  });
});

it('a method without a descriptor is refused at once', () => {
  expect(() => api.method({ ...JobsService.getJobStatus, path: '/api.Jobs/GetNothing' })).toThrow(
    'no descriptor of /api.Jobs/GetNothing',
  );
});
